#!/usr/bin/env bash
# ical.js 2.2.1, beside rrule 2.8.1 for JavaScript, python-dateutil 2.9.0.post0 and recurring-ical-events (3.8.2): the first occurrences
# of events that recur.
# Guess: the four agree, on rules that RFC 5545 defines.
# Seen: ical.js alone gives others. Of a yearly event of 29 February it makes 1 March in the years between, though the RFC ignores days
# that do not exist. "Every 20th Monday of the year" (an example of the RFC) and week 53 become every week, and of BYHOUR with
# INTERVAL it loses the interval.
# Needs Node.js 20 and npm.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/python -m pip install -qq --disable-pip-version-check python-dateutil==2.9.0.post0 recurring-ical-events==3.8.2 icalendar==7.3.2
npm install --silent --no-audit --no-fund --ignore-scripts ical.js@2.2.1 rrule@2.8.1
cat > rules.json <<'JSON'
{
  "29 February": ["20240229T090000Z", "FREQ=YEARLY;COUNT=3",
    "2024-02-29 2028-02-29 2032-02-29", "2024-02-29 2025-03-01 2026-03-01"],
  "every 20th Monday": ["19970519T090000Z", "FREQ=YEARLY;BYDAY=20MO;COUNT=3",
    "1997-05-19 1998-05-18 1999-05-17", "1997-05-19 1997-05-26 1997-06-02"],
  "Thursday of week 53": ["20261231T090000Z", "FREQ=YEARLY;BYWEEKNO=53;BYDAY=TH;COUNT=2",
    "2026-12-31 2032-12-30", "2027-01-07 2027-01-14"],
  "each fifth hour, if it is 9 or 14": ["20260105T090000Z", "FREQ=HOURLY;INTERVAL=5;BYHOUR=9,14;COUNT=4",
    "2026-01-05 2026-01-05 2026-01-10 2026-01-10", "2026-01-05 2026-01-05 2026-01-06 2026-01-06"],
  "the 31st": ["20260131T090000Z", "FREQ=MONTHLY;COUNT=3", "2026-01-31 2026-03-31 2026-05-31", "2026-01-31 2026-03-31 2026-05-31"]
}
JSON
cat > run.mjs <<'JS'
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

import ICAL from "ical.js";

const { rrulestr } = createRequire(import.meta.url)("rrule");

const seen = (what, found, recorded) => {
  console.log(`${what}: ${JSON.stringify(found)}`);
  if (JSON.stringify(found) !== JSON.stringify(recorded)) throw new Error(`CHANGED. ${what}: we recorded ${JSON.stringify(recorded)}`);
};

for (const [what, [start, rule, ours, theirs]] of Object.entries(JSON.parse(readFileSync("rules.json")))) {
  const dates = rrulestr(`DTSTART:${start}\nRRULE:${rule}`).all((_, count) => count < 4);
  seen(`rrule, ${what}`, dates.map((date) => date.toISOString().slice(0, 10)).join(" "), ours);
  const lines = ["BEGIN:VEVENT", "UID:1", `DTSTART:${start}`, `RRULE:${rule}`, "END:VEVENT"];
  const iterator = new ICAL.Event(new ICAL.Component(ICAL.parse(lines.join("\r\n")))).iterator();
  const found = [];
  for (let next; found.length < 5 && (next = iterator.next()); ) found.push(next.toString().slice(0, 10));
  seen(`ical.js, ${what}`, found.join(" "), theirs);
}
JS
node run.mjs
bin/python - <<'PY'
import json

import recurring_ical_events
from dateutil.rrule import rrulestr
from icalendar import Calendar


def seen(what, found, recorded):
    """Print what was found. Compare texts, as Python takes 1, 1.0 and True for equal."""
    print(f"{what}: {found!r}")
    if repr(found) != repr(recorded):
        raise SystemExit(f"CHANGED. {what}: we recorded {recorded!r}")


for what, (start, rule, ours, _) in json.load(open("rules.json")).items():
    found = list(rrulestr(f"DTSTART:{start}\nRRULE:{rule}"))
    seen(f"python-dateutil, {what}", " ".join(str(time.date()) for time in found), ours)
    lines = ["BEGIN:VCALENDAR", "BEGIN:VEVENT", "UID:1", f"DTSTART:{start}", f"RRULE:{rule}", "END:VEVENT", "END:VCALENDAR"]
    events = recurring_ical_events.of(Calendar.from_ical("\r\n".join(lines))).between((1997, 1, 1), (2033, 1, 1))
    seen(f"recurring-ical-events, {what}", " ".join(sorted(str(event["dtstart"].dt.date()) for event in events)), ours)
PY
