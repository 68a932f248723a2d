#!/usr/bin/env bash
# pyxero 0.9.5, xero-python 15.2.0 and pyodata 1.12.1: what /Date(1426849200000+0330)/ is, a time as Microsoft's older JSON writes it.
# Guess: each takes the number for milliseconds since 1970 in UTC, and the offset for that of the local time: 11:00 UTC, 14:30 local.
# Seen: four answers. xero-python gives that. pyxero adds the offset and says UTC: 14:30 UTC. pyodata takes 0330 for 330 minutes, as OData 2
# does; it adds them for Edm.DateTime (16:30 UTC), and for Edm.DateTimeOffset it takes 11:00 for the local time (05:30 UTC). Besides, pyxero
# makes a date of any text such as 2026-01-02T00:00:00, in any field.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/python -m pip install -qq --disable-pip-version-check pyxero==0.9.5 xero-python==15.2.0 pyodata==1.12.1
bin/python - <<'PY'
from datetime import timezone

from pyodata.v2.model import Types
from xero.utils import json_load_object_hook
from xero_python.api_client.deserializer import deserialize


def seen(what, found, recorded):
    """Print what was found. Compare texts, as Python takes 1, 1.0 and True for equal."""
    print(f"{what}: {found!r}")
    if repr(found) != repr(recorded):
        raise SystemExit(f"CHANGED. {what}: we recorded {recorded!r}")


def in_utc(time):
    return time.isoformat(), time.astimezone(timezone.utc).strftime("%H:%M")


for text, recorded in {
    "/Date(1426849200000)/": [
        ("2015-03-20T11:00:00+00:00", "11:00"),
        ("2015-03-20T11:00:00+00:00", "11:00"),
        ("2015-03-20T11:00:00+00:00", "11:00"),
    ],
    "/Date(1426849200000+0330)/": [
        ("2015-03-20T14:30:00+03:30", "11:00"),
        ("2015-03-20T14:30:00+00:00", "14:30"),
        ("2015-03-20T16:30:00+00:00", "16:30"),
    ],
}.items():
    seen(f"xero-python, {text}", in_utc(deserialize("datetime[ms-format]", text, None)), recorded[0])
    seen(f"pyxero, {text}", in_utc(json_load_object_hook({"Date": text})["Date"]), recorded[1])
    seen(f"pyodata, {text}", in_utc(Types.from_name("Edm.DateTime").traits.from_json(text)), recorded[2])
offset = Types.from_name("Edm.DateTimeOffset").traits.from_json("/Date(1426849200000+0330)/")
seen("pyodata, as Edm.DateTimeOffset", in_utc(offset), ("2015-03-20T11:00:00+05:30", "05:30"))
seen("pyxero, a text", repr(json_load_object_hook({"Reference": "2026-01-02T00:00:00"})["Reference"]), "datetime.date(2026, 1, 2)")
PY
