#!/usr/bin/env bash
# airbyte-cdk 7.39.1: WaitTimeFromHeader and WaitUntilTimeFromHeader, which say how long a declarative connector waits after a 429.
# Guess: a Retry-After that is a date, as HTTP allows, is waited for.
# Seen: WaitTimeFromHeader takes only numbers: of a date it makes no wait, and leaves it to the connector's other strategies. So does
# WaitUntilTimeFromHeader, which reads seconds since 1970 alone. Besides, without a guess: milliseconds are to it a wait of tens of thousands
# of years.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/python -m pip install -qq --disable-pip-version-check airbyte-cdk==7.39.1
bin/python - <<'PY'
import time

import requests
from airbyte_cdk.sources.declarative.requesters.error_handlers.backoff_strategies import (
    WaitTimeFromHeaderBackoffStrategy,
    WaitUntilTimeFromHeaderBackoffStrategy,
)


def seen(what, found, recorded):
    """Print what was found. Compare texts, as Python takes 1, 1.0 and True for equal."""
    print(f"{what}: {found!r}")
    if repr(found) != repr(recorded):
        raise SystemExit(f"CHANGED. {what}: we recorded {recorded!r}")


def wait(strategy, value, **more):
    response = requests.Response()
    response.status_code = 429
    response.headers["Retry-After"] = value
    return strategy(header="Retry-After", parameters={}, config={}, **more).backoff_time(response, 1)


date = "Mon, 30 Nov 2099 07:28:00 GMT"
seen("60", wait(WaitTimeFromHeaderBackoffStrategy, "60"), 60.0)
seen("a date", wait(WaitTimeFromHeaderBackoffStrategy, date), None)
seen("until a date", wait(WaitUntilTimeFromHeaderBackoffStrategy, date), None)
soon = int(time.time()) + 60
seen("until a minute from now", 50 < wait(WaitUntilTimeFromHeaderBackoffStrategy, str(soon)) <= 60, True)
years = wait(WaitUntilTimeFromHeaderBackoffStrategy, str(soon * 1000)) / 31_556_952
print(f"the same in milliseconds: {years:.0f} years")
seen("more than 10,000 years", years > 10_000, True)
PY
