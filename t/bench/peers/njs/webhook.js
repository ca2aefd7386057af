// The receive path for njs: signature (Standard Webhooks), JSON, event.
//
// njs before 0.8.0 has nothing that requests share (js_shared_dict_zone), so
// that neither webhook-id nor the status of a push can be remembered: this
// peer does less than the others.

import crypto from 'crypto';
import fs from 'fs';

const TOLERANCE = 300;

const KEY = Buffer.from(fs.readFileSync('secret').toString().trim()
                        .replace('whsec_', ''), 'base64');

const KNOWN = {
    'company.created': 1, 'company.deleted': 1, 'company.product.added': 1,
    'company.product.removed': 1, 'connection.created': 1,
    'connection.connected': 1, 'connection.reconnected': 1,
    'connection.disconnected': 1, 'connection.failed': 1,
    'connection.deleted': 1, 'read.completed': 1,
    'read.completed.initial': 1, 'read.completed.successful': 1,
    'read.completed.unsuccessful': 1, 'client.rateLimit.reached': 1,
    'client.rateLimit.reset': 1
};


// in a time that does not depend on where they differ

function equal(a, b) {
    let different = a.length ^ b.length;

    for (let i = 0; i < a.length; i++) {
        different |= a.charCodeAt(i) ^ b.charCodeAt(i);
    }

    return different === 0;
}


function verify(headers, body) {
    const id = headers['webhook-id'];
    const timestamp = headers['webhook-timestamp'];
    const signatures = headers['webhook-signature'];

    if (!id || !signatures
        || !(Math.abs(Date.now() / 1000 - Number(timestamp)) <= TOLERANCE))
    {
        return false;
    }

    const expected = 'v1,' + crypto.createHmac('sha256', KEY)
        .update(`${id}.${timestamp}.`).update(body).digest('base64');

    return signatures.split(' ').some((s) => equal(expected, s));
}


function answer(r, status, value) {
    r.headersOut['Content-Type'] = 'application/json';
    r.return(status, JSON.stringify(value) + '\n');
}


function handle(r) {
    const body = r.requestText;

    if (!verify(r.headersIn, body)) {
        return answer(r, 401, { code: 'signature_mismatch' });
    }

    let event;
    try {
        event = JSON.parse(body);

    } catch (e) {
        return answer(r, 400, { code: 'malformed_json' });
    }

    const name = event.eventType;
    if (typeof name !== 'string') {
        return answer(r, 400, { code: 'unrecognised_event' });
    }

    answer(r, 200, {
        id: event.id,
        type: KNOWN[name] || name.indexOf('.write.') > 0 ? name : 'unknown',
        result: 'accepted'
    });
}


export default { handle };
