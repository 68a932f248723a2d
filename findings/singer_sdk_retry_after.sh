#!/usr/bin/env bash
# singer-sdk 0.54.9 (Meltano's SDK for taps): a stream whose server answers 429 with Retry-After.
# Guess: the stream waits for Retry-After, here a minute.
# Seen: it does not read that header. It asks five times within 45 seconds, and fails, though the server says 60 from the first answer on.
# To wait, a stream must override backoff_wait_generator. dlt 1.31.0, without any setting, waits the six seconds that the server says here.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/python -m pip install -qq --disable-pip-version-check singer-sdk==0.54.9
python3 -m venv dlt
dlt/bin/python -m pip install -qq --disable-pip-version-check dlt==1.31.0
cat > server.py <<'PY'
import os
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

calls = []
seconds, refusals = os.environ["SECONDS_TO_WAIT"], int(os.environ["REFUSALS"])


class Vendor(BaseHTTPRequestHandler):
    def do_GET(self):
        calls.append(time.monotonic())
        body = b'[{"id": 1}]'
        self.send_response(429 if len(calls) <= refusals else 200)
        for name, value in {"Retry-After": seconds, "Content-Type": "application/json", "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Vendor)
threading.Thread(target=server.serve_forever, daemon=True).start()
address = f"http://127.0.0.1:{server.server_port}"


def waits():
    return [round(after - before, 1) for before, after in zip(calls, calls[1:])]
PY
cat > stream.py <<'PY'
import server
from singer_sdk import RESTStream, Tap
from singer_sdk import typing as th
from singer_sdk.exceptions import RetriableAPIError


class Contacts(RESTStream):
    name, path, url_base = "contacts", "/contacts", server.address
    schema = th.PropertiesList(th.Property("id", th.IntegerType)).to_dict()


class Example(Tap):
    name, config_jsonschema = "tap-example", th.PropertiesList().to_dict()

    def discover_streams(self):
        return [Contacts(self)]


stream = Example(config={}).discover_streams()[0]
try:
    print("records:", list(stream.get_records(None)))
except RetriableAPIError as error:
    print("failed:", error)
waits = server.waits()
print("waits:", waits)
if len(waits) != 4 or sum(waits) > 45:
    raise SystemExit("CHANGED: we recorded five calls within 45 seconds")
PY
SECONDS_TO_WAIT=60 REFUSALS=9 bin/python stream.py
cat > helper.py <<'PY'
import server
from dlt.sources.helpers import requests

status = requests.get(f"{server.address}/contacts").status_code
print("dlt:", status, "waits:", server.waits())
if not (len(server.waits()) == 2 and min(server.waits()) >= 6):
    raise SystemExit("CHANGED: we recorded that dlt waits six seconds each time")
PY
SECONDS_TO_WAIT=6 REFUSALS=2 dlt/bin/python helper.py
