#!/usr/bin/env bash
# @microsoft/microsoft-graph-client 3.0.7, the Graph client for JavaScript: filter() and query(), as a server receives them.
# Guess: it encodes the text of a filter, so that & and + in a name reach the server as such.
# Seen: it encodes nothing. At an & the filter ends, and what follows becomes another argument; a + arrives as a space; at a # the address
# ends. A second filter() silently takes the place of the first, while a second select() adds to it.
# Needs Node.js 20 and npm.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund --ignore-scripts @microsoft/microsoft-graph-client@3.0.7
cat > run.mjs <<'JS'
import { createServer } from "node:http";
import { createRequire } from "node:module";

const { Client } = createRequire(import.meta.url)("@microsoft/microsoft-graph-client");

const seen = (what, found, recorded) => {
  console.log(`${what}: ${JSON.stringify(found)}`);
  if (JSON.stringify(found) !== JSON.stringify(recorded)) throw new Error(`CHANGED. ${what}: we recorded ${JSON.stringify(recorded)}`);
};

const received = [];
const server = createServer((request, response) => {
  const { searchParams } = new URL(request.url, "http://127.0.0.1");
  received.push(Object.fromEntries(searchParams));
  response.setHeader("content-type", "application/json");
  response.end('{"value": []}');
});
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
const client = Client.init({
  baseUrl: `http://127.0.0.1:${server.address().port}/`,
  authProvider: (done) => done(null, "none"),
});
const asked = async (call) => {
  await call(client.api("/users")).get();
  return received.pop();
};
seen("A&B", await asked((api) => api.filter("displayName eq 'A&B'")), { $filter: "displayName eq 'A", "B'": "" });
seen("A+B", await asked((api) => api.filter("displayName eq 'A+B'")), { $filter: "displayName eq 'A B'" });
seen("A#B", await asked((api) => api.filter("displayName eq 'A#B'").top(5)), { $filter: "displayName eq 'A" });
seen("query() with A&B", await asked((api) => api.query({ tag: "A&B" })), { tag: "A", B: "" });
const encoded = encodeURIComponent("displayName eq 'A&B'");
seen("encoded by hand", await asked((api) => api.filter(encoded)), { $filter: "displayName eq 'A&B'" });
seen("filter() twice", await asked((api) => api.filter("a eq 1").filter("b eq 2")), { $filter: "b eq 2" });
seen("select() twice", await asked((api) => api.select("a").select("b")), { $select: "a,b" });
server.close();
JS
node run.mjs
