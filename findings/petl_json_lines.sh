#!/usr/bin/env bash
# petl 1.7.30: a table of JSON lines whose records do not all have the same fields.
# Guess: a field that first appears in row 2,000 is a column.
# Seen: of JSON lines only the first record's fields are columns. A field that the second record adds is lost, silently. Of a JSON
# array, and of dictionaries, it looks at 1,000 records, as its documentation says.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/python -m pip install -qq --disable-pip-version-check petl==1.7.30
bin/python - <<'PY'
import json

import petl


def seen(what, found, recorded):
    """Print what was found. Compare texts, as Python takes 1, 1.0 and True for equal."""
    print(f"{what}: {found!r}")
    if repr(found) != repr(recorded):
        raise SystemExit(f"CHANGED. {what}: we recorded {recorded!r}")


def columns(late, lines):
    """Return the columns of a file with 1,200 records, of which the one with this index has a second field."""
    records = [{"id": index} | ({"owner": 1} if index == late else {}) for index in range(1200)]
    with open("records.json", "w") as file:
        file.write("\n".join(map(json.dumps, records)) if lines else json.dumps(records))
    return petl.header(petl.fromjson("records.json", lines=lines))


seen("lines, in the first record", columns(0, lines=True), ("id", "owner"))
seen("lines, in the second record", columns(1, lines=True), ("id",))
seen("an array, in the second record", columns(1, lines=False), ("id", "owner"))
seen("an array, in record 1,000", columns(999, lines=False), ("id", "owner"))
seen("an array, in record 1,001", columns(1000, lines=False), ("id",))
named = petl.fromjson("records.json", lines=False, header=["id", "owner"])
seen("with header", petl.header(named), ("id", "owner"))
PY
