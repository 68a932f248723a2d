#!/usr/bin/env bash
# dlt 1.31.0, the RESTClient of its REST source: the records of an answer, without a data_selector.
# Guess: an answer that is one object is one record.
# Seen: it takes the first list that it finds anywhere in the object. Of a contact with tags it yields the tags; of a contact
# without any, nothing. A list of warnings that stands before the records is taken for the records. With data_selector="$" one
# object is one record.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/python -m pip install -qq --disable-pip-version-check dlt==1.31.0
bin/python - <<'PY'
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from dlt.sources.helpers.rest_client import RESTClient
from dlt.sources.helpers.rest_client.paginators import SinglePagePaginator

ANSWERS = {
    "/contacts/1": {"id": 1, "name": "A", "tags": ["new", "vip"]},
    "/contacts/2": {"id": 2, "name": "B", "tags": []},
    "/contacts": {"warnings": [{"text": "old version"}], "contacts": [{"id": 1}]},
}


def seen(what, found, recorded):
    """Print what was found. Compare texts, as Python takes 1, 1.0 and True for equal."""
    print(f"{what}: {found!r}")
    if repr(found) != repr(recorded):
        raise SystemExit(f"CHANGED. {what}: we recorded {recorded!r}")


class Vendor(BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps(ANSWERS[self.path]).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


with ThreadingHTTPServer(("127.0.0.1", 0), Vendor) as server:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    client = RESTClient(f"http://127.0.0.1:{server.server_port}", paginator=SinglePagePaginator())

    def records(path, **arguments):
        return [record for page in client.paginate(path, **arguments) for record in page]

    seen("a contact with tags", records("/contacts/1"), ["new", "vip"])
    seen("a contact without tags", records("/contacts/2"), [])
    seen("warnings, then contacts", records("/contacts"), [{"text": "old version"}])
    seen("a contact, data_selector $", records("/contacts/1", data_selector="$"), [ANSWERS["/contacts/1"]])
    server.shutdown()
PY
