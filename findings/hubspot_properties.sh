#!/usr/bin/env bash
# hubspot-api-client 12.0.0, the model of a CRM object as its client builds it from an answer.
# Guess: a property that is a number stays one; other JSON stays JSON.
# Seen: it turns each property but null into text with Python's notation: true becomes "True", a list "['a']", an object
# "{'k': None}". And the text "no" in the boolean field `archived` becomes true.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/python -m pip install -qq --disable-pip-version-check hubspot-api-client==12.0.0
bin/python - <<'PY'
import json
from types import SimpleNamespace

from hubspot.crm.contacts import ApiClient


def seen(what, found, recorded):
    """Print what was found. Compare texts, as Python takes 1, 1.0 and True for equal."""
    print(f"{what}: {found!r}")
    if repr(found) != repr(recorded):
        raise SystemExit(f"CHANGED. {what}: we recorded {recorded!r}")


answer = {
    "id": "12",
    "properties": {"number": 5, "yes": True, "none": None, "list": ["a"], "object": {"k": None}},
    "createdAt": "2026-01-02T03:04:05.123Z",
    "updatedAt": "2026-01-02T03:04:05.123Z",
    "archived": "no",
}
contact = ApiClient().deserialize(SimpleNamespace(data=json.dumps(answer)), "SimplePublicObject")
seen("a number", contact.properties["number"], "5")
seen("true", contact.properties["yes"], "True")
seen("null", contact.properties["none"], None)
seen("a list", contact.properties["list"], "['a']")
seen("an object", contact.properties["object"], "{'k': None}")
seen("archived, from the text no", contact.archived, True)
PY
