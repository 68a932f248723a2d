#!/usr/bin/env bash
# simple-salesforce 1.12.10: format_soql, which puts values into a query.
# Guess: it refuses a time without a zone, or takes it for UTC.
# Seen: it takes such a time for one of the machine's zone, so that one program asks for other records on another machine.
# And it drops the fraction of a second, so "later than" finds the record of that moment again.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/python -m pip install -qq --disable-pip-version-check simple-salesforce==1.12.10
bin/python - <<'PY'
import os
import time
from datetime import datetime, timezone

from simple_salesforce import format_soql


def seen(what, found, recorded):
    """Print what was found. Compare texts, as Python takes 1, 1.0 and True for equal."""
    print(f"{what}: {found!r}")
    if repr(found) != repr(recorded):
        raise SystemExit(f"CHANGED. {what}: we recorded {recorded!r}")


for zone, recorded in {"UTC0": "2026-01-02T03:04:05+00:00", "XYZ-5:30": "2026-01-01T21:34:05+00:00"}.items():
    os.environ["TZ"] = zone
    time.tzset()
    seen(f"no zone, on a machine of zone {zone}", format_soql("{}", datetime(2026, 1, 2, 3, 4, 5)), recorded)
exact = datetime(2026, 1, 2, 3, 4, 5, 999999, timezone.utc)
seen("a fraction of a second", format_soql("{}", exact), "2026-01-02T03:04:05+00:00")
PY
