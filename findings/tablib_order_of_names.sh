#!/usr/bin/env bash
# tablib 3.10.0: rows that are dictionaries, or objects of JSON.
# Guess: values go to the column of their name, in whatever order a row has its names.
# Seen: the first row names the columns, and values go by their order. A row with the same names in another order is stored under the wrong
# names, and so is one with other names of the same number. Only another number of values is an error.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/python -m pip install -qq --disable-pip-version-check tablib==3.10.0
bin/python - <<'PY'
import tablib


def seen(what, found, recorded):
    """Print what was found. Compare texts, as Python takes 1, 1.0 and True for equal."""
    print(f"{what}: {found!r}")
    if repr(found) != repr(recorded):
        raise SystemExit(f"CHANGED. {what}: we recorded {recorded!r}")


def rows(text):
    try:
        return tablib.Dataset().load(text, format="json").export("csv").split()
    except tablib.InvalidDimensions:
        return "refused"


seen("another order", rows('[{"id": 1, "owner": 2}, {"owner": 3, "id": 4}]'), ["id,owner", "1,2", "3,4"])
seen("another name", rows('[{"id": 1, "owner": 2}, {"id": 3, "city": 4}]'), ["id,owner", "1,2", "3,4"])
seen("a name less", rows('[{"id": 1, "owner": 2}, {"id": 3}]'), "refused")
given = tablib.Dataset()
given.dict = [{"id": 1, "owner": 2}, {"owner": 3, "id": 4}]
seen("dictionaries", given.dict, [{"id": 1, "owner": 2}, {"id": 3, "owner": 4}])
PY
