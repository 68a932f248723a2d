#!/usr/bin/env bash
# Airflow 3.3.2 (apache-airflow-core, Task SDK 1.3.2): values that a task returns and the next one receives.
# Guess: a Decimal that a task returns is the same for the next task. (Of a time with an offset we had written down no guess.)
# Seen: a Decimal goes through a float, and loses what a float does not hold (17 digits and more, or the last zero of 1.10). A time
# with an offset, as datetime.fromisoformat makes of "...+05:30", is stored without complaint, and the task that receives it fails
# with "ZoneInfo keys must be normalized relative paths". A time in UTC is well.
set -euo pipefail
constraints=$(cd "$(dirname "$0")/../constraints" && pwd)/airflow-3.3.2-py311.txt
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/python -m pip install -qq --disable-pip-version-check -c "$constraints" apache-airflow-core==3.3.2 \
    apache-airflow-providers-standard==1.21.0
mkdir dags
cat > dags/example.py <<'PY'
import json
import os
from datetime import datetime
from decimal import Decimal

from airflow.sdk import DAG, task


def say(*what):
    with open(os.environ["SEEN"], "a") as file:
        print(json.dumps(what), file=file)


with DAG("example", schedule=None, start_date=datetime(2026, 1, 1)) as dag:
    for name, value in {
        "amount": Decimal("1234567890123456.78"),
        "price": Decimal("1.10"),
        "offset": datetime.fromisoformat("2026-01-02T03:04:05+05:30"),
        "utc": datetime.fromisoformat("2026-01-02T03:04:05+00:00"),
    }.items():
        given = task(task_id=f"give_{name}")(lambda value=value: value)()
        task(task_id=f"take_{name}")(lambda value, name=name: say(name, str(value)))(given)
PY
export AIRFLOW_HOME=$folder AIRFLOW__CORE__LOAD_EXAMPLES=False SEEN=$folder/seen.json
bin/airflow db migrate >migrate.log 2>&1
bin/python - <<'PY'
import contextlib
import json
import os
import sys

sys.path.insert(0, "dags")
with open("run.log", "w") as log, contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
    from example import dag

    run = dag.test()


def seen(what, found, recorded):
    """Print what was found. Compare texts, as Python takes 1, 1.0 and True for equal."""
    print(f"{what}: {found!r}")
    if repr(found) != repr(recorded):
        raise SystemExit(f"CHANGED. {what}: we recorded {recorded!r}")


states = {one.task_id: str(one.state) for one in run.get_task_instances()}
with open(os.environ["SEEN"]) as file:
    lines = [json.loads(line) for line in file]
taken = dict(lines)
seen("Decimal 1234567890123456.78", taken.get("amount"), "1234567890123456.8")
seen("Decimal 1.10", taken.get("price"), "1.1")
seen("a time in UTC", taken.get("utc"), "2026-01-02 03:04:05+00:00")
seen("a time of +05:30, given", states["give_offset"], "success")
seen("a time of +05:30, taken", states["take_offset"], "failed")
with open("run.log") as log:
    seen("the error", "ZoneInfo keys must be normalized relative paths" in log.read(), True)
PY
