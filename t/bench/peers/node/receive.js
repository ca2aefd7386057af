// The receive path for Node, whatever reads the request: svix verifies the
// signature over the raw body and parses it; events, deduplication by
// webhook-id and the status of pushes are here.  Each process has maps of its
// own, which forget the oldest.

'use strict';

const cluster = require('node:cluster');
const { Webhook, WebhookVerificationError } = require('svix');

const webhook = new Webhook(process.env.PEER_SECRET);

const LIMIT = 500000;
const deliveries = new Map();
const pushes = new Map();

const KNOWN = new Set(['company.created', 'company.deleted',
    'company.product.added', 'company.product.removed', 'connection.created',
    'connection.connected', 'connection.reconnected',
    'connection.disconnected', 'connection.failed', 'connection.deleted',
    'read.completed', 'read.completed.initial', 'read.completed.successful',
    'read.completed.unsuccessful', 'client.rateLimit.reached',
    'client.rateLimit.reset']);


function remember(map, key, value) {
    map.set(key, value);

    if (map.size > LIMIT) {
        map.delete(map.keys().next().value);
    }
}


// gives [status, what to answer]

function receive(headers, body) {
    let event;

    try {
        event = webhook.verify(body, headers);

    } catch (e) {
        return e instanceof WebhookVerificationError
            ? [401, { code: 'signature_mismatch' }]
            : [400, { code: 'malformed_json' }];
    }

    const name = event?.eventType;
    if (typeof name !== 'string') {
        return [400, { code: 'unrecognised_event' }];
    }

    const write = name.includes('.write.');
    const id = headers['webhook-id'];
    let result = 'accepted';

    if (deliveries.has(id)) {
        result = 'duplicate';

    } else {
        remember(deliveries, id, true);

        if (write && event.payload?.id) {
            remember(pushes, event.payload.id,
                     { status: event.payload.status,
                       updated: event.generatedDate });
        }
    }

    const type = write || KNOWN.has(name) ? name : 'unknown';

    return [200, { id: event.id, type, result }];
}


// one process, or as many as there are to be

function serve(listen) {
    const workers = Number(process.env.PEER_WORKERS);

    if (workers > 1 && cluster.isPrimary) {
        for (let i = 0; i < workers; i++) {
            cluster.fork();
        }

        process.on('SIGTERM', () => process.exit(0));
        return;
    }

    process.on('disconnect', () => process.exit(0));
    listen(Number(process.env.PEER_PORT), '127.0.0.1');
}


module.exports = { receive, serve };
