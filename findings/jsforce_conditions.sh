#!/usr/bin/env bash
# jsforce 3.10.16: the conditions of find(), as the query that it makes of them. Nothing is sent.
# Guess: {$in: []} is an error or finds nothing; a Date becomes a time of SOQL.
# Seen: {$in: []} makes no condition, so the query asks for all records; so do {$nin: []}, {$or: []} and undefined. Of {$gt: 1, $lt: 5}
# only the first is left. A Date becomes JavaScript's own text of it, which is no SOQL.
# Needs Node.js 20 and npm.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund --ignore-scripts jsforce@3.10.16
export TZ=UTC
cat > run.mjs <<'JS'
import { createRequire } from "node:module";

const jsforce = createRequire(import.meta.url)("jsforce");

const seen = (what, found, recorded) => {
  console.log(`${what}: ${JSON.stringify(found)}`);
  if (JSON.stringify(found) !== JSON.stringify(recorded)) throw new Error(`CHANGED. ${what}: we recorded ${JSON.stringify(recorded)}`);
};

const connection = new jsforce.Connection({ instanceUrl: "http://127.0.0.1:9", accessToken: "none", version: "60.0" });
const query = (conditions) => connection.sobject("Contact").find(conditions, ["Id"]).toSOQL();
for (const [what, conditions, recorded] of [
  ["$in of two", { City: { $in: ["A", "B"] } }, "SELECT Id FROM Contact WHERE City IN ('A', 'B')"],
  ["$in of none", { City: { $in: [] } }, "SELECT Id FROM Contact"],
  ["$nin of none", { City: { $nin: [] } }, "SELECT Id FROM Contact"],
  ["$or of none", { $or: [] }, "SELECT Id FROM Contact"],
  ["undefined", { City: undefined }, "SELECT Id FROM Contact"],
  ["null", { City: null }, "SELECT Id FROM Contact WHERE City = null"],
  ["$gt and $lt", { Age: { $gt: 1, $lt: 5 } }, "SELECT Id FROM Contact WHERE Age > 1"],
  [
    "a Date",
    { Changed: new Date("2026-01-02T03:04:05.678Z") },
    "SELECT Id FROM Contact WHERE Changed = Fri Jan 02 2026 03:04:05 GMT+0000 (Coordinated Universal Time)",
  ],
])
  seen(what, await query(conditions), recorded);
JS
node run.mjs
