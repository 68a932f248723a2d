#!/usr/bin/env bash
# msgspec 0.23.0 and arrow 1.4.0, beside python-dateutil 2.9.0.post0, pydantic 2.14.4, pendulum 3.3.0 and Python's own reader.
# Vendors on .NET (Microsoft Graph, for one) write seven digits after a second; Python keeps six.
# Guess: every reader drops the seventh digit.
# Seen: msgspec and arrow round, so that the last moment of a year lies in the next one. The others drop it. Two programs
# that read one feed so disagree on the day of a record, and on whether a cursor has passed it.
. "$(dirname "$0")/environment.bash" msgspec==0.23.0 arrow==1.4.0 python-dateutil==2.9.0.post0 pydantic==2.14.4 pendulum==3.3.0
observe <<'PY'
from datetime import datetime

import arrow
import msgspec
import pendulum
from dateutil.parser import isoparse
from pydantic import TypeAdapter

text = "2026-12-31T23:59:59.9999999Z"
readers = {
    "msgspec": (lambda value: msgspec.convert(value, datetime), "2027-01-01T00:00:00"),
    "arrow": (arrow.get, "2027-01-01T00:00:00"),
    "dateutil": (isoparse, "2026-12-31T23:59:59.999999"),
    "pydantic": (TypeAdapter(datetime).validate_python, "2026-12-31T23:59:59.999999"),
    "pendulum": (pendulum.parse, "2026-12-31T23:59:59.999999"),
}
for name, (reader, recorded) in readers.items():
    seen(name, reader(text).isoformat()[: len(recorded)], recorded)
PY
