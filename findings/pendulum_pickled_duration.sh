#!/usr/bin/env bash
# pendulum 3.3.0: a duration of months, copied.
# Guess: a pickled duration is the same duration. Workers of other processes get such copies.
# Seen: the pickle holds days only. A month becomes 30 days, a year 365. The copy equals the original, but added to a date it gives
# another one. copy.deepcopy keeps the month.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/python -m pip install -qq --disable-pip-version-check pendulum==3.3.0
bin/python - <<'PY'
import copy
import pickle

import pendulum


def seen(what, found, recorded):
    """Print what was found. Compare texts, as Python takes 1, 1.0 and True for equal."""
    print(f"{what}: {found!r}")
    if repr(found) != repr(recorded):
        raise SystemExit(f"CHANGED. {what}: we recorded {recorded!r}")


month = pendulum.duration(months=1)
pickled = pickle.loads(pickle.dumps(month))
first = pendulum.date(2026, 2, 1)
seen("a month", str(first + month), "2026-03-01")
seen("its deep copy", str(first + copy.deepcopy(month)), "2026-03-01")
seen("its pickled copy", str(first + pickled), "2026-03-03")
seen("months of the pickled copy", pickled.months, 0)
seen("the pickled copy is equal", pickled == month, True)
year = pickle.loads(pickle.dumps(pendulum.duration(years=1)))
seen("a pickled year", str(pendulum.date(2028, 1, 1) + year), "2028-12-31")
PY
