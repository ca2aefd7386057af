'use strict';

const express = require('express');
const { receive, serve } = require('./receive');
const app = express();

app.disable('x-powered-by');
app.disable('etag');

// the signature is over the body as it came
app.post('/webhooks/codat', express.text({ type: 'application/json' }),
         (request, response) => {
    const [status, value] = receive(request.headers, request.body);

    response.status(status).json(value);
});

serve((port, host) => app.listen(port, host));
