// SPDX-License-Identifier: Apache-2.0
// Azure's service SDK, called from outside: a line of JSON {"on": "registry", "call": "create",
// "with": […]} on standard input is one call, a line on standard output its result,
// {"result": …} or {"error": name, "message": …}.
'use strict';
const readline = require('readline');
const { Registry, Client, JobClient } = require('azure-iothub');

const text = process.env.CONNECTION_STRING;
const targets = {
  registry: Registry.fromConnectionString(text),
  client: Client.fromConnectionString(text),
  jobs: JobClient.fromConnectionString(text),
};

// All pages: their sizes, and the rows.
async function drain(query, asTwins) {
  const pages = [];
  const rows = [];
  while (query.hasMoreResults) {
    // Without its token next() begins anew, unlike nextAsTwin().
    const page = (await (asTwins ? query.nextAsTwin()
      : query.next(query.continuationToken))).result;
    pages.push(page.length);
    rows.push(...page.map((row) => (asTwins ? row.toJSON() : row)));
  }
  return { pages, rows };
}

const own = {
  query: (text, size, asTwins) => drain(targets.registry.createQuery(text, size), asTwins),
  jobQuery: (type, status, size) => drain(targets.jobs.createQuery(type, status, size), false),
  // What a program does that changes a twin it has read.
  updateTwin: async (id, patch) => {
    const twin = (await targets.registry.getTwin(id)).responseBody;
    return plain(await twin.update(patch));
  },
};

function plain(answer) {
  if (answer === undefined || answer === null) return null;
  const body = answer.responseBody !== undefined ? answer.responseBody
    : answer.result !== undefined ? answer.result
      : answer.jobStatus !== undefined ? answer.jobStatus : answer;
  return body && body.toJSON ? body.toJSON() : body;
}

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const { on, call, with: values } = JSON.parse(line);
    try {
      const answer = on === 'own' ? await own[call](...values)
        : plain(await targets[on][call](...values));
      console.log(JSON.stringify({ result: answer === undefined ? null : answer }));
    } catch (error) {
      console.log(JSON.stringify({ error: error.name, message: error.message }));
    }
  }
}

main();
