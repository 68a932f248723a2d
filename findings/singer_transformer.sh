#!/usr/bin/env bash
# singer-python 6.8.0, Transformer (taps of Singer and Meltano use it to fit records to a schema).
# Guess: a value that does not have the schema's type is a mismatch.
# Seen: it cuts the number 12.7 to the integer 12, though it refuses the text "12.7"; it reads the text "1,5" as 15.0 and
# "no" as true; of an object where the schema wants text it makes Python's notation, which no JSON reader takes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/python -m pip install -qq --disable-pip-version-check singer-python==6.8.0
bin/python - <<'PY'
from singer import Transformer
from singer.transform import SchemaMismatch


def seen(what, found, recorded):
    """Print what was found. Compare texts, as Python takes 1, 1.0 and True for equal."""
    print(f"{what}: {found!r}")
    if repr(found) != repr(recorded):
        raise SystemExit(f"CHANGED. {what}: we recorded {recorded!r}")


def fitted(value, kind):
    schema = {"type": "object", "properties": {"field": {"type": ["null", kind]}}}
    try:
        with Transformer() as transformer:
            return transformer.transform({"field": value}, schema)["field"]
    except SchemaMismatch:
        return "mismatch"


seen("the number 12.7 as integer", fitted(12.7, "integer"), 12)
seen("the text 12.7 as integer", fitted("12.7", "integer"), "mismatch")
seen("the text 1,5 as number", fitted("1,5", "number"), 15.0)
seen("the text no as boolean", fitted("no", "boolean"), True)
seen("the text false as boolean", fitted("false", "boolean"), False)
seen("an object as text", fitted({"city": None}, "string"), "{'city': None}")
PY
