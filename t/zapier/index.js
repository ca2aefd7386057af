// A trigger app for Zapier's developer platform, as small as it can be: "an
// event in Codat", from the consumer API of nginx.  t/consumers_zapier.t runs
// it with zapier-platform-core, and docs/guide-no-code.md tells how to push it.
'use strict';

const { version: platformVersion } = require('zapier-platform-core');

const authentication = {
    type: 'custom',
    fields: [
        { key: 'url', label: 'URL of the consumer API', required: true,
          helpText: 'Such as https://hooks.example.com/codat-hooks' },
        { key: 'clientId', label: 'Client ID', required: false },
        { key: 'key', label: 'Integration key', type: 'password',
          required: true },
    ],
    test: { url: '{{bundle.authData.url}}/webhooks' },
    connectionLabel: '{{bundle.authData.url}}',
};

const authorize = (request, z, bundle) => {
    const { clientId, key } = bundle.authData;
    const pair = clientId ? `${clientId}:${key}` : key;

    request.headers.Authorization =
        `Basic ${Buffer.from(pair).toString('base64')}`;

    return request;
};

const event = {
    key: 'event',
    noun: 'Event',
    display: {
        label: 'New Event',
        description: 'Triggers when something happens in Codat.',
    },
    operation: {
        type: 'hook',
        inputFields: [
            { key: 'eventType', label: 'Event', required: true,
              choices: [
                  'read.completed.initial',
                  'connection.connected', 'connection.disconnected',
                  'invoices.write.successful', '*.write.unsuccessful',
                  'expenses.sync.unsuccessful', '*',
              ] },
        ],
        performSubscribe: async (z, bundle) => {
            const response = await z.request({
                method: 'POST',
                url: `${bundle.authData.url}/webhooks`,
                body: {
                    url: bundle.targetUrl,
                    eventTypes: [bundle.inputData.eventType],
                },
            });

            return response.data;
        },
        performUnsubscribe: async (z, bundle) => {
            await z.request({
                method: 'DELETE',
                url: `${bundle.authData.url}/webhooks/`
                     + bundle.subscribeData.id,
            });

            return {};
        },
        performList: async (z, bundle) => {
            const response = await z.request({
                url: `${bundle.authData.url}/webhooks/samples`,
                params: { eventType: bundle.inputData.eventType },
            });

            return response.data;
        },
        perform: (z, bundle) => [bundle.cleanedRequest],
        sample: {
            id: '3c5d0f7e-84b1-4e6a-9f23-0a7be1d4c865',
            eventType: 'connection.connected',
        },
    },
};

module.exports = {
    version: '1.0.0',
    platformVersion,
    authentication,
    beforeRequest: [authorize],
    triggers: { [event.key]: event },
};
