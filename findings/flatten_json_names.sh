#!/usr/bin/env bash
# flatten-json 0.1.14, which makes one level of names out of nested records, for tables.
# Guess: where two fields get the same name, it raises an error or keeps both.
# Seen: the later one silently takes the place of the earlier. And the way back is not safe: names with its separator become
# objects, and an object with the names "0" and "1" becomes a list.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/python -m pip install -qq --disable-pip-version-check flatten-json==0.1.14
bin/python - <<'PY'
from flatten_json import flatten, unflatten_list


def seen(what, found, recorded):
    """Print what was found. Compare texts, as Python takes 1, 1.0 and True for equal."""
    print(f"{what}: {found!r}")
    if repr(found) != repr(recorded):
        raise SystemExit(f"CHANGED. {what}: we recorded {recorded!r}")


seen("owner_id and owner.id", flatten({"owner_id": 1, "owner": {"id": 2}}), {"owner_id": 2})
seen("there and back, a name with _", unflatten_list(flatten({"a": [{"b_c": 1}]})), {"a": [{"b": {"c": 1}}]})
seen("there and back, names of digits", unflatten_list(flatten({"a": {"0": "x", "1": "y"}})), {"a": ["x", "y"]})
PY
