#!/usr/bin/env bash
# cloudevents 2.2.0 for Python (cloudevents.core): an event as HTTP headers and a body (binary mode), there and back.
# Guess: with application/json, a text as the data goes out as JSON, in quotation marks, and comes back as it was.
# Seen: it goes out bare. "5" comes back as the number 5; "x" goes out as a body that is no JSON. False goes out in Python's notation,
# and so does a boolean extension. In structured mode all of these come back as they were. cloudevents.v1, the older interface
# of the same package, writes the quotation marks.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/python -m pip install -qq --disable-pip-version-check cloudevents==2.2.0
bin/python - <<'PY'
from cloudevents.core.bindings import http
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from cloudevents.v1.conversion import to_binary
from cloudevents.v1.http import CloudEvent as OlderEvent


def seen(what, found, recorded):
    """Print what was found. Compare texts, as Python takes 1, 1.0 and True for equal."""
    print(f"{what}: {found!r}")
    if repr(found) != repr(recorded):
        raise SystemExit(f"CHANGED. {what}: we recorded {recorded!r}")


ATTRIBUTES = {"id": "1", "source": "/crm", "type": "deal.changed", "datacontenttype": "application/json"}


def event(data):
    return CloudEvent({**ATTRIBUTES, "specversion": "1.0", "urgent": True}, data)


for data, body, back in (("5", b"5", 5), ("x", b"x", "x"), (False, b"False", "False")):
    message = http.to_binary(event(data), JSONFormat())
    seen(f"binary, the data {data!r}, body", message.body, body)
    seen(f"binary, the data {data!r}, back", http.from_binary(message, JSONFormat()).get_data(), back)
    message = http.to_structured(event(data), JSONFormat())
    seen(f"structured, the data {data!r}, back", http.from_structured(message, JSONFormat()).get_data(), data)
seen("binary, the extension True", http.to_binary(event(None), JSONFormat()).headers["ce-urgent"], "True")
seen("cloudevents.v1, the data '5', body", to_binary(OlderEvent(ATTRIBUTES, "5"))[1], b'"5"')
PY
