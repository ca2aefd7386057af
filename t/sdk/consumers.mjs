// What an application does with consumers by Codat's own library, for
// t/consumers_sdk.t.
//
//     node consumers.mjs FOLDER URL KEY
//
// FOLDER has node_modules with @codat/platform; URL is that of the API.
// Prints a JSON object: what came of each call.

import { createRequire } from "node:module";

const [folder, serverURL, key] = process.argv.slice(2);
const { CodatPlatform } = createRequire(`${folder}/`)("@codat/platform");

const codat = text => new CodatPlatform({
    authHeader: "Basic " + btoa(text),
    serverURL,
    retryConfig: { strategy: "none" },
});

const failure = async call => {
    try {
        return { came: await call };
    } catch (e) {
        return { name: e.name, statusCode: e.statusCode, error: e.error,
                 service: e.service, correlationId: e.correlationId,
                 validation: e.validation, canBeRetried: e.canBeRetried,
                 detailedErrorCode: e.detailedErrorCode };
    }
};

const { webhooks } = codat(key);
const said = {};

said.created = await webhooks.createConsumer({
    url: "https://hooks.example.com/sdk",
    disabled: false,
    eventTypes: ["DataSyncCompleted", "Dataset data changed",
                 "bills.write.successful"],
    companyTags: ["region:uk", "cohort:spring"],
});
said.plain = await webhooks.createConsumer({
    url: "https://hooks.example.com/plain",
    eventTypes: ["company.created"],
    companyTags: null,
});
said.disabled = await webhooks.createConsumer({
    url: "https://hooks.example.com/disabled",
    eventTypes: ["company.created"],
    disabled: true,
});
said.ofClient = await codat(`one:${key}`).webhooks.createConsumer({
    url: "https://hooks.example.com/one",
    eventTypes: ["company.created"],
});

said.listed = await webhooks.listConsumers();
said.listedOfClient = await codat(`one:${key}`).webhooks.listConsumers();

said.deleted = await webhooks.deleteConsumer({
    webhookId: said.created.id }) ?? null;
said.listedAfter = await webhooks.listConsumers();

said.unknown = await failure(webhooks.deleteConsumer({
    webhookId: said.created.id }));
said.invalid = await failure(webhooks.createConsumer({
    url: "http://hooks.example.com/", eventTypes: ["company.created"] }));
said.incomplete = await failure(webhooks.createConsumer({
    url: "https://hooks.example.com/" }));
said.stranger = await failure(codat("stranger").webhooks.listConsumers());
said.strangerCreates = await failure(
    codat("stranger").webhooks.createConsumer({}));

console.log(JSON.stringify(said));
