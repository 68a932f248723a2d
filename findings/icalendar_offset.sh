#!/usr/bin/env bash
# icalendar 7.3.2: an event whose time has an offset, as datetime.fromisoformat makes of "...+05:30", written and read again.
# Guess: it comes back as the same instant.
# Seen: it is written with TZID="UTC+05:30", and no VTIMEZONE says what that is. icalendar itself reads it back without any zone. A time in
# UTC or in a zone with a name comes back. ics 0.7.3 writes the same time in UTC. node-ical 0.26.1 for JavaScript, given that line, cuts
# it at the colon within the quotation marks: the start of the event is then the text "30:20260102T030405".
# Needs Node.js 20 and npm.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/python -m pip install -qq --disable-pip-version-check icalendar==7.3.2 ics==0.7.3
bin/python - <<'PY'
from datetime import datetime, timezone
from zoneinfo import ZoneInfo

import ics
from icalendar import Calendar, Event


def seen(what, found, recorded):
    """Print what was found. Compare texts, as Python takes 1, 1.0 and True for equal."""
    print(f"{what}: {found!r}")
    if repr(found) != repr(recorded):
        raise SystemExit(f"CHANGED. {what}: we recorded {recorded!r}")


def written_and_read(time):
    event = Event()
    event.add("uid", "1")
    event.add("dtstart", time)
    calendar = Calendar()
    calendar.add_component(event)
    text = calendar.to_ical()
    line = next(line for line in text.decode().splitlines() if line.startswith("DTSTART"))
    return line, Calendar.from_ical(text).walk("VEVENT")[0]["dtstart"].dt.isoformat()


time = datetime.fromisoformat("2026-01-02T03:04:05+05:30")
seen("+05:30", written_and_read(time), ('DTSTART;TZID="UTC+05:30":20260102T030405', "2026-01-02T03:04:05"))
seen("in UTC", written_and_read(time.astimezone(timezone.utc)), ("DTSTART:20260101T213405Z", "2026-01-01T21:34:05+00:00"))
zone = time.astimezone(ZoneInfo("Asia/Kolkata"))
seen("in Asia/Kolkata", written_and_read(zone), ("DTSTART;TZID=Asia/Kolkata:20260102T030405", "2026-01-02T03:04:05+05:30"))
other = ics.Event(name="x", begin=time).serialize()
seen("ics", [line for line in other.splitlines() if line.startswith("DTSTART")], ["DTSTART:20260101T213405Z"])
PY
npm install --silent --no-audit --no-fund --ignore-scripts node-ical@0.26.1
cat > run.mjs <<'JS'
import { createRequire } from "node:module";

const { sync } = createRequire(import.meta.url)("node-ical");

const start = 'DTSTART;TZID="UTC+05:30":20260102T030405';
const lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "BEGIN:VEVENT", "UID:1", start, "SUMMARY:x", "END:VEVENT", "END:VCALENDAR", ""];
const found = Object.values(sync.parseICS(lines.join("\r\n"))).find((each) => each.type === "VEVENT").start;
console.log("node-ical:", found);
if (found !== "30:20260102T030405") throw new Error("CHANGED. node-ical: we recorded the text 30:20260102T030405");
JS
node run.mjs
