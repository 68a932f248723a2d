#!/usr/bin/env bash
# csv-parse 7.0.3 for JavaScript, with cast: true.
# Guess: 0012 stays a text, as its number would be another text.
# Seen: it becomes 12, " 7" 7 and +1555 1555. Besides, without a guess: a text that is a number only to JavaScript's source, as 0x1F or 0b11, becomes 0: all such
# ids are one.
# Needs Node.js 20 and npm.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund --ignore-scripts csv-parse@7.0.3
cat > run.mjs <<'JS'
import { parse } from "csv-parse/sync";

const seen = (what, found, recorded) => {
  console.log(`${what}: ${JSON.stringify(found)}`);
  if (JSON.stringify(found) !== JSON.stringify(recorded)) throw new Error(`CHANGED. ${what}: we recorded ${JSON.stringify(recorded)}`);
};

const read = (text) => parse(text, { cast: true })[0];
seen("0012", read("0012"), [12]);
seen("a space before 7", read(" 7"), [7]);
seen("+1555", read("+1555"), [1555]);
seen("0x1F and 0x2F", read("0x1F,0x2F"), [0, 0]);
seen("0b11", read("0b11"), [0]);
seen("12345678901234567890", String(read("12345678901234567890")[0]), "12345678901234567000");
seen("1_000 and Infinity", read("1_000,Infinity"), ["1_000", "Infinity"]);
JS
node run.mjs
