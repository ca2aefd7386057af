'use strict';

const { receive, serve } = require('./receive');
const app = require('fastify')();

// the signature is over the body as it came
app.removeAllContentTypeParsers();
app.addContentTypeParser('application/json', { parseAs: 'string' },
                         (request, body, done) => done(null, body));

app.post('/webhooks/codat', (request, reply) => {
    const [status, value] = receive(request.headers, request.body);

    reply.code(status).send(value);
});

serve((port, host) => app.listen({ port, host }));
