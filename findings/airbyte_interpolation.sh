#!/usr/bin/env bash
# airbyte-cdk 7.39.1, the templates {{ ... }} of a declarative (low-code) connector.
# Guess: a text of a record or of the configuration stays that text; we remembered that literals are read, and expected a guard.
# Seen: what reads as a literal of Python becomes one. In AddFields the order code "1_000" becomes the integer 1000, "12e4" the
# number 120000.0, "(1,2)" a tuple. `value_type: string` keeps these, but takes quotation marks off a text that has them. A bearer
# token is read so as well. A leading zero ("0123") keeps a text.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/python -m pip install -qq --disable-pip-version-check airbyte-cdk==7.39.1
bin/python - <<'PY'
from airbyte_cdk.sources.declarative.auth.token import BearerAuthenticator
from airbyte_cdk.sources.declarative.auth.token_provider import InterpolatedStringTokenProvider
from airbyte_cdk.sources.declarative.transformations.add_fields import AddedFieldDefinition, AddFields


def seen(what, found, recorded):
    """Print what was found. Compare texts, as Python takes 1, 1.0 and True for equal."""
    print(f"{what}: {found!r}")
    if repr(found) != repr(recorded):
        raise SystemExit(f"CHANGED. {what}: we recorded {recorded!r}")


def added(code, value_type=None):
    field = AddedFieldDefinition(
        path=["copy"], value="{{ record['code'] }}", value_type=value_type, parameters={}
    )
    record = {"code": code}
    AddFields(fields=[field], parameters={}).transform(record, config={})
    return record["copy"]


for code, recorded in {"1_000": 1000, "12e4": 120000.0, "(1,2)": (1, 2), "0123": "0123", '"x"': "x"}.items():
    seen(f"the code {code}", added(code), recorded)
for code, recorded in {"1_000": "1_000", "12e4": "12e4", '"x"': "x"}.items():
    seen(f"the code {code}, value_type string", added(code, str), recorded)
config = {"key": "1_000"}
provider = InterpolatedStringTokenProvider(api_token="{{ config['key'] }}", config=config, parameters={})
header = BearerAuthenticator(provider, config, {}).get_auth_header()
seen("the key 1_000 as a bearer token", header, {"Authorization": "Bearer 1000"})
PY
