#!/usr/bin/env bash
# google-api-python-client 2.202.0: the arguments of a method, as it puts them into the address. The API here is described by a discovery
# document of our own; no call is made.
# Guess: an integer argument refuses 12.7; a text argument that is True becomes "true"; "false" stays false.
# Seen: 12.7 becomes 12. Each text but the empty one is true for a boolean argument, "false" and "no" too. A text argument gets Python's
# notation of what it is given: True, {'a': None}. A number argument goes through a float: "1.10" becomes 1.1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/python -m pip install -qq --disable-pip-version-check google-api-python-client==2.202.0
bin/python - <<'PY'
from urllib.parse import parse_qs, urlsplit

import httplib2
from googleapiclient.discovery import build_from_document


def seen(what, found, recorded):
    """Print what was found. Compare texts, as Python takes 1, 1.0 and True for equal."""
    print(f"{what}: {found!r}")
    if repr(found) != repr(recorded):
        raise SystemExit(f"CHANGED. {what}: we recorded {recorded!r}")


kinds = {"whole": "integer", "number": "number", "text": "string", "yes": "boolean"}
listing = {
    "id": "example.contacts.list",
    "path": "contacts",
    "httpMethod": "GET",
    "parameters": {name: {"type": kind, "location": "query"} for name, kind in kinds.items()},
}
document = {
    "name": "example",
    "version": "v1",
    "rootUrl": "https://example.com/",
    "servicePath": "",
    "baseUrl": "https://example.com/",
    "batchPath": "batch",
    "schemas": {},
    "resources": {"contacts": {"methods": {"list": listing}}},
}
api = build_from_document(document, http=httplib2.Http())
for name, given, recorded in (
    ("whole", 12.7, "12"),
    ("yes", False, "false"),
    ("yes", "false", "true"),
    ("yes", "no", "true"),
    ("text", True, "True"),
    ("text", {"a": None}, "{'a': None}"),
    ("number", "1.10", "1.1"),
    ("number", 12345678901234567, "1.2345678901234568e+16"),
):
    found = parse_qs(urlsplit(api.contacts().list(**{name: given}).uri).query)[name]
    seen(f"{given!r} as {kinds[name]}", found, [recorded])
PY
