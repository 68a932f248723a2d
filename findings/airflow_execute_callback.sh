#!/usr/bin/env bash
# Airflow 3.3.2 (apache-airflow-core, apache-airflow-providers-standard 1.21.0): on_execute_callback of a task that defers.
# Guess: it is called once for each try, when the task starts.
# Seen: twice in one try, before the task defers and again when it resumes; on_success_callback comes once. So "it has started" is told
# twice. We saw the same with `airflow standalone`, where a sensor in mode reschedule called it at each of its three pokes, and where
# the listener on_task_instance_running was called as often. This script runs dag.test().
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
from datetime import datetime, timedelta, timezone

from airflow.providers.standard.sensors.date_time import DateTimeSensorAsync
from airflow.sdk import DAG


def say(*what):
    with open(os.environ["SEEN"], "a") as file:
        print(json.dumps(what), file=file)


def told(what):
    return lambda context: say(what, context["ti"].try_number)


with DAG("example", schedule=None, start_date=datetime(2026, 1, 1)) as dag:
    DateTimeSensorAsync(
        task_id="wait",
        target_time=datetime.now(timezone.utc) + timedelta(seconds=20),
        on_execute_callback=told("execute"),
        on_success_callback=told("success"),
    )
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
seen("the task", states, {"wait": "success"})
seen("callbacks, with the number of the try", lines, [["execute", 1], ["execute", 1], ["success", 1]])
PY
