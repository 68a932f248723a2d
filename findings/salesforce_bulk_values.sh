#!/usr/bin/env bash
# simple-salesforce 1.12.10: the CSV that a bulk job (Bulk API 2.0) uploads for records of Python. The server here is one of our own.
# Guess: None becomes #N/A, by which Salesforce's bulk API empties a field, or is refused; True becomes true; a time one of ISO 8601.
# Seen: None becomes nothing at all, as a field does that a record does not have, so that the two cannot be told apart. True becomes True,
# a time Python's text of it, with a space, and NaN "nan".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/python -m pip install -qq --disable-pip-version-check simple-salesforce==1.12.10
bin/python - <<'PY'
import csv
import io
import json
import threading
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import requests
from simple_salesforce import Salesforce


def seen(what, found, recorded):
    """Print what was found. Compare texts, as Python takes 1, 1.0 and True for equal."""
    print(f"{what}: {found!r}")
    if repr(found) != repr(recorded):
        raise SystemExit(f"CHANGED. {what}: we recorded {recorded!r}")


uploads = []


class Server(BaseHTTPRequestHandler):
    def answer(self, status, body):
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()

    def do_POST(self):
        self.body()
        self.answer(200, {"id": "job", "state": "Open", "contentUrl": "batches"})

    def do_PUT(self):
        uploads.append(self.body())
        self.answer(201, {})

    def do_PATCH(self):
        self.body()
        self.answer(200, {"id": "job", "state": "UploadComplete"})

    def do_GET(self):
        self.answer(200, {"id": "job", "state": "JobComplete", "numberRecordsProcessed": 3, "numberRecordsFailed": 0})

    def log_message(self, *arguments):
        pass


class Session(requests.Session):
    """Send to our server what goes to Salesforce by https."""

    def request(self, method, url, **more):
        return super().request(method, url.replace("https://", "http://"), **more)


server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
salesforce = Salesforce(instance=f"127.0.0.1:{server.server_port}", session_id="none", session=Session())
time = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
salesforce.bulk2.Contact.insert(
    records=[
        {"Id": "1", "City": None, "Active": True, "Changed": time, "Amount": 0.1},
        {"Id": "2", "City": "A", "Active": False, "Amount": float("nan")},
        {"Id": "3"},
    ]
)
rows = {row["Id"]: row for row in csv.DictReader(io.StringIO(uploads[0]))}
seen("None", rows["1"]["City"], "")
seen("a field that the record has not", rows["3"]["City"], "")
seen("True", rows["1"]["Active"], "True")
seen("a time", rows["1"]["Changed"], "2026-01-02 03:04:05+00:00")
seen("NaN", rows["2"]["Amount"], "nan")
PY
