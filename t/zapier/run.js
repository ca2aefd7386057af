// node run.js   runs parts of the app as Zapier does: each line of input is
// {"part": "performList", "bundle": {...}}, each of output that begins with "="
// {"result": ...} or {"error": "..."}; zapier-platform-core, which NODE_PATH
// leads to, writes others.
'use strict';

const readline = require('node:readline');
const zapier = require('zapier-platform-core');
const app = require('./index.js');

const tester = zapier.createAppTester(app);

const parts = {
    test: app.authentication.test,
};

for (const name of ['performSubscribe', 'performUnsubscribe', 'performList',
                    'perform']) {
    parts[name] = app.triggers.event.operation[name];
}

(async () => {
    for await (const line of readline.createInterface(process.stdin)) {
        const { part, bundle } = JSON.parse(line);
        let said;

        try {
            said = { result: await tester(parts[part], bundle) };
        } catch (error) {
            said = { error: String(error.message) };
        }

        process.stdout.write(`\n= ${JSON.stringify(said)}\n`);
    }
})();
