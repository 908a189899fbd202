// A reader in another language: node read.cjs BOOTSTRAP ASYNCAPI_YAML SCHEMA_FOLDER
// It knows those two, kafkajs, Ajv and the parser of AsyncAPI, and nothing else of Baton. It refuses a document in which
// the parser finds an error, reads every channel from its start to the end it had when it came, and checks each record:
// announced on its channel, headers as the document describes them, key = subject, payload by the type's schema file.
// Prints one JSON object: records, repeats (by ce_id) and problems per channel. The libraries lie where
// BATON_NODE_LIBRARIES says.

const { readFileSync, readdirSync } = require("node:fs");
const { createRequire } = require("node:module");
const { join } = require("node:path");

const library = createRequire(`${process.env.BATON_NODE_LIBRARIES}/`);
const { Parser } = library("@asyncapi/parser");
const Ajv = library("ajv/dist/2020").default;
const addFormats = library("ajv-formats").default;
const { Kafka, logLevel } = library("kafkajs");

const ERROR = 0; // of the parser: errors are 0, warnings 1, hints 2 and 3
const PROBLEMS_SHOWN = 20;
const ajv = addFormats(new Ajv({ strict: true }));
ajv.addKeyword("x-parser-schema-id"); // the parser numbers the schemas it hands out

async function accepted(file) {
  const { document, diagnostics } = await new Parser().parse(readFileSync(file, "utf8"));
  const errors = diagnostics.filter((one) => one.severity === ERROR);
  if (errors.length > 0 || document === undefined) {
    process.stderr.write(errors.map((one) => `${one.path.join(".")}: ${one.message}\n`).join(""));
    process.exit(3);
  }
  return document;
}

const minor = (name) => Number(name.slice(0, -".json".length).split(".")[1]);

function payloadChecks(folder) {
  const checks = {};
  for (const type of readdirSync(folder)) {
    const newest = readdirSync(join(folder, type)).sort((one, other) => minor(other) - minor(one))[0];
    checks[type] = ajv.compile(JSON.parse(readFileSync(join(folder, type, newest), "utf8")));
  }
  return checks;
}

function channelsOf(document) {
  const channels = {};
  for (const channel of document.channels().all()) {
    const headers = {};
    for (const message of channel.messages().all()) headers[message.name()] = ajv.compile(message.headers().json());
    channels[channel.address()] = { name: channel.id(), headers, records: 0, ids: new Set(), problems: [] };
  }
  return channels;
}

function problemOf(channel, payloads, message) {
  const headers = Object.fromEntries(Object.entries(message.headers).map(([name, value]) => [name, value.toString()]));
  const type = headers.ce_type;
  const check = channel.headers[type];
  if (check === undefined) return `type ${type} is not announced on ${channel.name}`;
  if (!check(headers)) return `${type}: headers: ${ajv.errorsText(check.errors)}`;
  if (message.key.toString() !== headers.ce_subject) return `${type}: the key is not the subject`;
  const payload = payloads[type];
  if (payload === undefined) return `${type} has no schema file`;
  return payload(JSON.parse(message.value.toString())) ? null : `${type}: ${ajv.errorsText(payload.errors)}`;
}

// Calls take(topic, message) for every record that was there, then leaves.
async function readAll(bootstrap, topics, take) {
  const kafka = new Kafka({ clientId: "stranger", brokers: [bootstrap], logLevel: logLevel.ERROR });
  const admin = kafka.admin();
  await admin.connect();
  const waiting = new Map();
  for (const topic of topics) {
    for (const { partition, low, high } of await admin.fetchTopicOffsets(topic)) {
      if (BigInt(low) < BigInt(high)) waiting.set(`${topic} ${partition}`, BigInt(high));
    }
  }
  const consumer = kafka.consumer({ groupId: `stranger-${process.pid}-${Date.now()}`, maxWaitTimeInMs: 200 });
  await consumer.connect();
  await consumer.subscribe({ topics, fromBeginning: true });
  const failed = new Promise((_, reject) => consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error)));
  const read = new Promise((resolve, reject) => {
    if (waiting.size === 0) resolve();
    const eachMessage = async ({ topic, partition, message }) => {
      const place = `${topic} ${partition}`;
      const end = waiting.get(place);
      if (end === undefined) return; // came after us
      take(topic, message);
      if (BigInt(message.offset) + 1n >= end) waiting.delete(place);
      if (waiting.size === 0) resolve();
    };
    consumer.run({ autoCommit: false, eachMessage }).catch(reject);
  });
  await Promise.race([read, failed]);
  await consumer.disconnect();
  await admin.disconnect();
}

async function main(bootstrap, asyncapi, schemas) {
  const channels = channelsOf(await accepted(asyncapi));
  const payloads = payloadChecks(schemas);
  await readAll(bootstrap, Object.keys(channels), (topic, message) => {
    const channel = channels[topic];
    channel.records += 1;
    channel.ids.add(message.headers.ce_id?.toString());
    const problem = problemOf(channel, payloads, message);
    if (problem !== null) channel.problems.push(problem);
  });
  const found = {};
  for (const { name, records, ids, problems } of Object.values(channels)) {
    const shown = problems.slice(0, PROBLEMS_SHOWN);
    found[name] = { records, repeats: records - ids.size, problems: shown, problem_count: problems.length };
  }
  process.stdout.write(`${JSON.stringify(found)}\n`);
}

main(...process.argv.slice(2)).catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
