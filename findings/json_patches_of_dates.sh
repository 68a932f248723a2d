#!/usr/bin/env bash
# rfc6902 5.4.0 and fast-json-patch 3.1.1 for JavaScript: a plan of the changes between two objects with a Date in them, as readers of YAML
# and drivers of databases make them.
# Guess: a changed Date is one change, as it is for microdiff 1.6.0 and jsondiffpatch 0.7.7.
# Seen: rfc6902 finds none. fast-json-patch adds the date's text letter by letter, as if it were a list. Of the texts of the dates (JSON)
# all find one change.
# Needs Node.js 20 and npm.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund --ignore-scripts rfc6902@5.4.0 fast-json-patch@3.1.1 microdiff@1.6.0 jsondiffpatch@0.7.7
cat > run.mjs <<'JS'
import { createRequire } from "node:module";

import * as jsondiffpatch from "jsondiffpatch";

const require = createRequire(import.meta.url);
const tools = {
  rfc6902: require("rfc6902").createPatch,
  "fast-json-patch": require("fast-json-patch").compare,
  microdiff: require("microdiff").default,
  jsondiffpatch: (before, after) => Object.keys(jsondiffpatch.create().diff(before, after) ?? {}),
};

const seen = (what, found, recorded) => {
  console.log(`${what}: ${JSON.stringify(found)}`);
  if (JSON.stringify(found) !== JSON.stringify(recorded)) throw new Error(`CHANGED. ${what}: we recorded ${JSON.stringify(recorded)}`);
};

const before = { ends: new Date("2026-01-02T03:04:05Z") };
const after = { ends: new Date("2027-01-02T03:04:05Z") };
const recorded = { rfc6902: 0, "fast-json-patch": 24, microdiff: 1, jsondiffpatch: 1 };
for (const [name, diff] of Object.entries(tools)) {
  seen(`${name}, a Date`, diff(before, after).length, recorded[name]);
  seen(`${name}, its text`, diff(JSON.parse(JSON.stringify(before)), JSON.parse(JSON.stringify(after))).length, 1);
}
seen("the first of fast-json-patch", tools["fast-json-patch"](before, after)[0], { op: "add", path: "/ends/0", value: "2" });
JS
node run.mjs
