#!/usr/bin/env bash
# frictionless 5.21.0: the types that it gives the columns of a CSV, when it describes and reads it without a schema.
# Guess: amounts with a decimal comma, such as "12,5", are text.
# Seen: they are geographical points, with 12 as the longitude and 5 as the latitude. One above 180, as "250,5", is none, so the whole column
# is then text; and "12,50" and "12,5" are one point. Besides, without a guess: 1_000 is the integer 1000.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/python -m pip install -qq --disable-pip-version-check frictionless==5.21.0
bin/python - <<'PY'
from frictionless import Resource


def seen(what, found, recorded):
    """Print what was found. Compare texts, as Python takes 1, 1.0 and True for equal."""
    print(f"{what}: {found!r}")
    if repr(found) != repr(recorded):
        raise SystemExit(f"CHANGED. {what}: we recorded {recorded!r}")


def read(*values):
    with open("rows.csv", "w") as file:
        file.write("value,other\n" + "".join(f'"{value}",x\n' for value in values))
    resource = Resource(path="rows.csv")
    found = [row["value"] for row in resource.read_rows()]
    return resource.schema.get_field("value").type, [str(value) for value in found]


seen("12,5 and 13,7", read("12,5", "13,7"), ("geopoint", ["[12.0, 5.0]", "[13.0, 7.0]"]))
seen("12,50 and 12,5", read("12,50", "12,5"), ("geopoint", ["[12.0, 50.0]", "[12.0, 5.0]"]))
seen("12,5 and 250,5", read("12,5", "250,5"), ("string", ["12,5", "250,5"]))
seen("12.5 and 13.7", read("12.5", "13.7"), ("number", ["12.5", "13.7"]))
seen("1_000 and 2_000", read("1_000", "2_000"), ("integer", ["1000", "2000"]))
PY
