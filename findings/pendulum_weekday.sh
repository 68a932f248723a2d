#!/usr/bin/env bash
# pendulum 3.3.0: from_format, of a text with the name of a weekday.
# Guess: a weekday that does not fit the date is an error. (Python's strptime ignores it.)
# Seen: the weekday wins. The date moves, silently, to that day of its week (Monday to Sunday): up to six days, into another month or
# year. So a vendor whose weekday is that of another time zone gives wrong dates.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/python -m pip install -qq --disable-pip-version-check pendulum==3.3.0
bin/python - <<'PY'
from datetime import datetime

import pendulum


def seen(what, found, recorded):
    """Print what was found. Compare texts, as Python takes 1, 1.0 and True for equal."""
    print(f"{what}: {found!r}")
    if repr(found) != repr(recorded):
        raise SystemExit(f"CHANGED. {what}: we recorded {recorded!r}")


for text, recorded in {
    "Fri, 2 Jan 2026": "2026-01-02",
    "Mon, 2 Jan 2026": "2025-12-29",
    "Sun, 2 Jan 2026": "2026-01-04",
    "Sun, 1 Sep 2026": "2026-09-06",
}.items():
    seen(text, pendulum.from_format(text, "ddd, D MMM YYYY").to_date_string(), recorded)
found = datetime.strptime("Mon, 2 Jan 2026", "%a, %d %b %Y")
seen("Mon, 2 Jan 2026, by strptime", found.date().isoformat(), "2026-01-02")
PY
