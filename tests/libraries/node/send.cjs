// Sends people with one unmodified Node client library: node send.cjs NAME URL KEY PEOPLE
// Each person identifies, looks at the pricing page and asks for a demo. Prints what the library itself called an error.
// The libraries lie where BATON_NODE_LIBRARIES says.

const { createRequire } = require("node:module");

const library = createRequire(`${process.env.BATON_NODE_LIBRARIES}/`);
const PAGE = "https://www.example.test/pricing?utm_source=newsletter";
const errors = [];

function* people(name, number) {
  for (let index = 0; index < number; index += 1) {
    yield { user: `${name}-${index}`, email: `person${index}@${name.replace("_", "-")}.example` };
  }
}

async function sendSegment(url, key, number) {
  const { Analytics } = library("@segment/analytics-node");
  const analytics = new Analytics({ writeKey: key, host: url, flushAt: 30, flushInterval: 300, maxRetries: 10 });
  analytics.on("error", (error) => errors.push(`${error.code} ${error.reason}`));
  for (const { user, email } of people("segment_node", number)) {
    analytics.identify({ userId: user, traits: { email } });
    analytics.page({ userId: user, name: "Pricing", properties: { url: PAGE } });
    analytics.track({ userId: user, event: "Demo Requested", properties: { plan: "gold" } });
  }
  await analytics.closeAndFlush({ timeout: 60000 });
}

async function sendRudder(url, key, number) {
  const RudderAnalytics = library("@rudderstack/rudder-sdk-node");
  const client = new RudderAnalytics(key, { dataPlaneUrl: url, flushAt: 30, flushInterval: 300, retryCount: 10 });
  const sent = [];
  const call = (name, message) => sent.push(new Promise((resolve) => {
    client[name](message, (error) => { if (error) errors.push(String(error)); resolve(); });
  }));
  for (const { user, email } of people("rudder_node", number)) {
    call("identify", { userId: user, context: { traits: { email } } });
    call("page", { userId: user, name: "Pricing", properties: { url: PAGE } });
    call("track", { userId: user, event: "Demo Requested", properties: { plan: "gold" } });
  }
  await Promise.all(sent);
}

async function sendPosthog(url, key, number) {
  const { PostHog } = library("posthog-node");
  const client = new PostHog(key, { host: url, flushAt: 30, flushInterval: 300, fetchRetryCount: 10, fetchRetryDelay: 500 });
  client.on("error", (error) => errors.push(String(error)));
  for (const { user, email } of people("posthog_node", number)) {
    client.identify({ distinctId: user, properties: { email } });
    client.capture({ distinctId: user, event: "$pageview", properties: { $current_url: PAGE } });
    client.capture({ distinctId: user, event: "Demo Requested", properties: { plan: "gold" } });
  }
  await client.shutdown(60000);
}

async function sendSnowplow(url, key, number) {
  const { newTracker, buildPageView, buildSelfDescribingEvent } = library("@snowplow/node-tracker");
  let open = 0;
  const tracker = newTracker(
    { namespace: "t", appId: key, encodeBase64: true },
    {
      endpoint: url,
      eventMethod: "post",
      bufferSize: 25,
      onRequestSuccess: (batch) => { open -= batch.length; },
      onRequestFailure: (failure) => {
        errors.push(`${failure.status ?? failure.message}`);
        if (!failure.willRetry) open -= failure.events.length;
      },
    },
  );
  const described = (schema, data) => buildSelfDescribingEvent({ event: { schema, data } });
  for (const { user, email } of people("snowplow_node", number)) {
    tracker.setUserId(user);
    const answers = { formId: "newsletter", elements: [{ name: "email", value: email, nodeName: "INPUT" }] };
    open += 3;
    tracker.track(described("iglu:com.snowplowanalytics.snowplow/submit_form/jsonschema/1-0-0", answers));
    tracker.track(buildPageView({ pageUrl: PAGE, pageTitle: "Pricing" }));
    tracker.track(described("iglu:com.example/demo_requested/jsonschema/1-0-0", { plan: "gold" }));
  }
  tracker.flush();
  while (open > 0) {
    await new Promise((resolve) => { setTimeout(resolve, 100); });
    tracker.flush();
  }
}

async function sendJitsu(url, key, number) {
  const { jitsuAnalytics } = library("@jitsu/js");
  for (const { user, email } of people("jitsu_node", number)) {
    const jitsu = jitsuAnalytics({ host: url, writeKey: key, s2s: true });
    for (const call of [
      () => jitsu.identify(user, { email }),
      () => jitsu.page("Pricing", { url: PAGE }),
      () => jitsu.track("Demo Requested", { plan: "gold" }),
    ]) {
      await call().catch((error) => errors.push(String(error)));
    }
  }
}

const SENDERS = {
  segment: sendSegment, rudder: sendRudder, posthog: sendPosthog, snowplow: sendSnowplow, jitsu: sendJitsu,
};

async function main([name, url, key, number]) {
  await SENDERS[name](url, key, Number(number));
  process.stdout.write(`${JSON.stringify({ errors })}\n`);
  process.exit(0);
}

process.on("unhandledRejection", (error) => errors.push(`unhandled ${error}`));
main(process.argv.slice(2)).catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
