#!/usr/bin/env bash
# n8n-workflow 2.41.0: validateFieldType, by which n8n checks and converts the fields of its nodes.
# Guess: a text that is no date, such as "1", is refused; 01/02/2026 is refused, or is in January. Of the others there was no guess.
# Seen: "1" is January 2001, "room 5" May 2001, and 30 February 2 March. 01/02/2026 is a day in January, while 13/02/2026 is refused, so
# of a vendor's European dates some pass with another meaning. An empty text is the number 0, and 25:00 a time.
# Needs Node.js 20 and npm.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund --ignore-scripts --legacy-peer-deps n8n-workflow@2.41.0
export TZ=UTC
cat > run.mjs <<'JS'
import { createRequire } from "node:module";

const { validateFieldType } = createRequire(import.meta.url)("n8n-workflow");

const seen = (what, found, recorded) => {
  console.log(`${what}: ${JSON.stringify(found)}`);
  if (JSON.stringify(found) !== JSON.stringify(recorded)) throw new Error(`CHANGED. ${what}: we recorded ${JSON.stringify(recorded)}`);
};

const checked = (value, type) => {
  const found = validateFieldType("field", value, type);
  if (!found.valid) return "refused";
  return type === "dateTime" ? found.newValue.toISODate() : found.newValue;
};
for (const [text, recorded] of Object.entries({
  1: "2001-01-01",
  "room 5": "2001-05-01",
  "2026-02-30": "2026-03-02",
  "01/02/2026": "2026-01-02",
  "13/02/2026": "refused",
  "next week": "refused",
}))
  seen(`${text} as a date`, checked(text, "dateTime"), recorded);
seen("25:00 as a time", checked("25:00", "time"), "25:00");
seen("an empty text as a number", checked("", "number"), 0);
seen("no as a boolean", checked("no", "boolean"), "refused");
JS
node run.mjs
