#!/usr/bin/env bash
# jsonpath-plus 10.4.0, beside python-jsonpath 2.2.2 (which follows RFC 9535): names in quotation marks.
# Guess: $['a,b'] is the field "a,b", as RFC 9535 says.
# Seen: jsonpath-plus takes it for the fields a and b, and never finds "a,b". $['*'] is every field. A name with a dot is found.
# Needs Node.js 20 and npm.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/python -m pip install -qq --disable-pip-version-check python-jsonpath==2.2.2
npm install --silent --no-audit --no-fund --ignore-scripts jsonpath-plus@10.4.0
cat > run.mjs <<'JS'
import { createRequire } from "node:module";

const { JSONPath } = createRequire(import.meta.url)("jsonpath-plus");

const seen = (what, found, recorded) => {
  console.log(`jsonpath-plus, ${what}: ${JSON.stringify(found)}`);
  if (JSON.stringify(found) !== JSON.stringify(recorded)) throw new Error(`CHANGED. ${what}: we recorded ${JSON.stringify(recorded)}`);
};

const record = { "a,b": "whole", a: 1, b: 2, "c.d": "dot", c: { d: 3 }, "*": "star" };
seen("$['a,b']", JSONPath({ path: "$['a,b']", json: record }), [1, 2]);
seen("$['a,b'] without a and b", JSONPath({ path: "$['a,b']", json: { "a,b": "whole" } }), []);
seen("$['c.d']", JSONPath({ path: "$['c.d']", json: record }), ["dot"]);
seen("$['*']", JSONPath({ path: "$['*']", json: { a: 1, "*": "star" } }), [1, "star"]);
JS
node run.mjs
bin/python - <<'PY'
import jsonpath


def seen(what, found, recorded):
    """Print what was found. Compare texts, as Python takes 1, 1.0 and True for equal."""
    print(f"{what}: {found!r}")
    if repr(found) != repr(recorded):
        raise SystemExit(f"CHANGED. {what}: we recorded {recorded!r}")


record = {"a,b": "whole", "a": 1, "b": 2, "*": "star"}
seen("python-jsonpath, $['a,b']", jsonpath.findall("$['a,b']", record), ["whole"])
seen("python-jsonpath, $['*']", jsonpath.findall("$['*']", record), ["star"])
PY
