#!/usr/bin/env bash
# cloudevents 10.0.0 for JavaScript: events as JSON (structured mode) and as headers (binary mode).
# Guess: `time` goes out as the text that it was.
# Seen: it goes out in UTC and cut to milliseconds, so events of one millisecond get one time, and the zone is lost. Besides, without
# a guess: of an event that arrives as JSON with the data false or 0, the data is missing.
# Needs Node.js 20 and npm.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund cloudevents@10.0.0
cat > run.mjs <<'JS'
import { CloudEvent, HTTP } from "cloudevents";

const seen = (what, found, recorded) => {
  console.log(`${what}: ${JSON.stringify(found)}`);
  if (JSON.stringify(found) !== JSON.stringify(recorded)) throw new Error(`CHANGED. ${what}: we recorded ${JSON.stringify(recorded)}`);
};

const known = { id: "1", source: "/crm", type: "deal.changed", specversion: "1.0" };
const received = (more) =>
  HTTP.toEvent({
    headers: { "content-type": "application/cloudevents+json" },
    body: JSON.stringify({ ...known, ...more }),
  });
const asJson = (more) => JSON.parse(HTTP.structured(new CloudEvent({ ...known, ...more })).body);
const time = "2026-01-02T03:04:05.123456+05:30";
seen("the time of an event", new CloudEvent({ ...known, time }).time, time);
seen("sent as JSON", asJson({ time }).time, "2026-01-01T21:34:05.123Z");
seen("sent as a header", HTTP.binary(new CloudEvent({ ...known, time })).headers["ce-time"], "2026-01-01T21:34:05.123Z");
for (const data of [false, 0]) {
  seen(`sent, the data ${data}`, asJson({ data }).data, data);
  seen(`received, the data ${data}`, received({ data }).data, undefined);
}
seen("received, the data 1", received({ data: 1 }).data, 1);
JS
node run.mjs
