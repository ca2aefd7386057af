// What an application does with Codat's own libraries, for t/track_sdk.t.
//
//     node calls.mjs FOLDER COMPANY CONNECTION
//
// FOLDER has node_modules with @codat/platform and @codat/accounting.  Reads
// lines "SCENARIO URL [ARGUMENT]", where URL is that of the API, and prints a
// line for each: a JSON object with what came of its calls.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const [folder, companyId, connectionId] = process.argv.slice(2);
let serverURL, argument, platform;

const require = createRequire(`${folder}/`);
const { CodatPlatform } = require("@codat/platform");
const { CodatAccounting } = require("@codat/accounting");
const axios = createRequire(require.resolve("@codat/accounting"))("axios");

const authHeader = "Basic " + btoa("an API key");

// both libraries repeat for an hour what was answered with 429 or 5XX
const never = { strategy: "none" };

// with headers for all calls
const accounting = (headers = {}) => new CodatAccounting({
    security: { authHeader },
    serverURL,
    defaultClient: axios.create({ baseURL: serverURL, headers }),
});

const account = name => ({
    companyId, connectionId,
    account: { name, type: "Expense", nominalCode: "1085", currency: "GBP",
               status: "Active" },
});

const directCost = (note, accountId) => ({
    companyId, connectionId,
    directCost: {
        issueDate: "2026-03-02", currency: "GBP", note, subTotal: 110,
        taxAmount: 0, totalAmount: 110, paymentAllocations: [],
        lineItems: [{ description: note, quantity: 1, unitAmount: 110,
                      accountRef: { id: accountId } }],
    },
});

// the operation in the answer of the older library
const pushed = answer => ({
    statusCode: answer.statusCode,
    ...(answer.createAccountResponse ?? answer.createDirectCostResponse
        ?? answer.errorMessage),
});

const operation = (pushOperationKey, headers) =>
    platform.pushData.getOperation({ companyId, pushOperationKey },
                                   headers && { headers });

async function failure(call) {
    try {
        return { came: await call() };
    } catch (e) {
        return { name: e.name, statusCode: e.statusCode, error: e.error,
                 text: e.body ?? e.message };
    }
}


const scenarios = {

    // pushes, polls until it is final, lists

    async flow() {
        const created = pushed(await accounting().directCosts.create(
            directCost("Train", "a-1"), never));
        const polls = [];
        do {
            polls.push(await operation(created.pushOperationKey));
            await new Promise(resolve => setTimeout(resolve, 50));
        } while (polls.at(-1).status === "Pending" && polls.length < 400);

        const listed = await platform.pushData.listOperations(
            { companyId, page: 1, pageSize: 10 });

        return { created, first: polls[0], last: polls.at(-1),
                 listed: listed.pushOperations ?? listed };
    },

    // one after the other, with waiting

    async waiting() {
        const codat = accounting({ Prefer: "wait=30",
                                   "X-Codat-Reference": "sdk-1" });
        const first = pushed(await codat.accounts.create(account("Travel"),
                                                         never));
        const second = pushed(await codat.directCosts.create(
            directCost("Train", first.data.id), never));

        return { first, second };
    },

    // a poll that waits

    async poll() {
        const { pushOperationKey } = pushed(await accounting().directCosts
            .create(directCost("Train", "a-1"), never));

        return { polled: await operation(pushOperationKey,
                                         { Prefer: "wait=30" }) };
    },

    // a push that fails, and the reason

    async failing() {
        const codat = accounting({ Prefer: "wait=30" });
        const created = pushed(await codat.directCosts.create(
            directCost("Taxi", "a-1"), never));

        return { created, reason: await operation(created.pushOperationKey) };
    },

    // one that depends on ARGUMENT

    async after() {
        const codat = accounting({ Prefer: "wait=1",
                                   "X-Codat-After": argument });
        return { refused: await failure(async () => pushed(
            await codat.directCosts.create(directCost("Train", "a-1"),
                                           never))) };
    },

    // errors of the API, whatever they are now

    async errors() {
        return {
            poll: await failure(() => operation("unknown")),
            push: await failure(async () => pushed(
                await accounting().directCosts.create(
                    directCost("Train", "a-1"), never))),
        };
    },

    // calls that have nothing to do with pushes

    async others() {
        const created = await platform.companies.create(
            { name: "A company" });
        return { created,
                 read: await platform.companies.get({ companyId: created.id }),
                 listed: await platform.companies.list({}) };
    },

    // an update with an attachment

    async attachment() {
        const answer = await accounting().directCosts.uploadAttachment({
            companyId, connectionId, directCostId: "dc-1",
            requestBody: { content: new TextEncoder().encode("a receipt"),
                           requestBody: "receipt.txt" },
        }, never);
        return { statusCode: answer.statusCode };
    },
};

for await (const line of createInterface({ input: process.stdin })) {
    let scenario;
    [scenario, serverURL, argument] = line.split(" ");
    platform = new CodatPlatform({ authHeader, serverURL,
                                   retryConfig: never });
    console.log(JSON.stringify(await scenarios[scenario]()));
}
