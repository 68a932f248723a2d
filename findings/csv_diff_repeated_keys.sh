#!/usr/bin/env bash
# csv-diff 1.2: the differences between two CSVs, by a key column.
# Guess: where two rows have one key, it says so, or compares both.
# Seen: the last of them takes the place of the others, silently. A file from which such a row was removed, or in which an earlier one changed,
# is the same to it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/python -m pip install -qq --disable-pip-version-check csv-diff==1.2
bin/python - <<'PY'
import io

from csv_diff import compare, load_csv


def seen(what, found, recorded):
    """Print what was found. Compare texts, as Python takes 1, 1.0 and True for equal."""
    print(f"{what}: {found!r}")
    if repr(found) != repr(recorded):
        raise SystemExit(f"CHANGED. {what}: we recorded {recorded!r}")


def differences(before, after):
    tables = (load_csv(io.StringIO("id,city\n" + "".join(f"{row}\n" for row in rows)), key="id") for rows in (before, after))
    return {what: rows for what, rows in compare(*tables).items() if rows}


seen("a row removed", differences(["1,A", "1,B"], ["1,B"]), {})
seen("a row changed", differences(["1,A", "1,B"], ["1,C", "1,B"]), {})
seen("the last row changed", differences(["1,A", "1,B"], ["1,A", "1,C"]), {"changed": [{"key": "1", "changes": {"city": ["B", "C"]}}]})
PY
