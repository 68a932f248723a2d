#!/usr/bin/env bash
# openlineage-python 1.54.0, its settings in environment variables (Airflow's OpenLineage provider brings this client).
# Guess: an API key in OPENLINEAGE__TRANSPORT__AUTH__APIKEY is text, whatever its characters.
# Seen: it reads each variable as JSON where it can. A key such as 12e4, which is a number in JSON, goes out as 120000.0, which
# is another key. A leading zero (0123) or quotation marks around the key ("12e4") keep it text.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/python -m pip install -qq --disable-pip-version-check openlineage-python==1.54.0
bin/python - <<'PY'
import os

from openlineage.client import OpenLineageClient


def seen(what, found, recorded):
    """Print what was found. Compare texts, as Python takes 1, 1.0 and True for equal."""
    print(f"{what}: {found!r}")
    if repr(found) != repr(recorded):
        raise SystemExit(f"CHANGED. {what}: we recorded {recorded!r}")


settings = {"TYPE": "http", "URL": "http://127.0.0.1:9", "AUTH__TYPE": "api_key"}
os.environ.update({f"OPENLINEAGE__TRANSPORT__{name}": value for name, value in settings.items()})
for key, recorded in {"0123": "0123", "abc": "abc", "12345": "12345", "12e4": "120000.0", '"12e4"': "12e4"}.items():
    os.environ["OPENLINEAGE__TRANSPORT__AUTH__APIKEY"] = key
    seen(f"the key {key}", OpenLineageClient().transport.config.auth.get_bearer(), f"Bearer {recorded}")
PY
