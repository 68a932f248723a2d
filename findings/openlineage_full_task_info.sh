#!/usr/bin/env bash
# apache-airflow-providers-openlineage 2.13.0 with Airflow 3.1.8, its file transport, a DAG of one plain task.
# Guess: the setting include_full_task_info adds information about the task to its events.
# Seen: with it the provider writes no event of any task. It logs "Unable to redact <DAG: example>", and then a RecursionError in
# attr.asdict. The task itself succeeds. Of the releases after it, 2.14.0 to 2.18.1 do the same. 2.19.0, 2.20.0 and 2.20.3 write all its
# events on Airflow 3.1.8, where pip admits them with apache-airflow-providers-common-compat 1.15.0.
set -euo pipefail
constraints=$(cd "$(dirname "$0")/../constraints" && pwd)/airflow-3.1.8-py311.txt
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/python -m pip install -qq --disable-pip-version-check -c "$constraints" apache-airflow-core==3.1.8 \
    apache-airflow-providers-standard==1.12.1 apache-airflow-providers-openlineage==2.13.0
mkdir dags
cat > dags/example.py <<'PY'
from datetime import datetime

from airflow.sdk import DAG, task

with DAG("example", schedule=None, start_date=datetime(2026, 1, 1)) as dag:
    task(task_id="plain")(lambda: None)()
PY
cat > run.py <<'PY'
import sys

sys.path.insert(0, "dags")
from example import dag

print("<the run:", dag.test().state, ">")
PY
export AIRFLOW_HOME=$folder AIRFLOW__CORE__LOAD_EXAMPLES=False
bin/airflow db migrate >migrate.log 2>&1
for full in False True; do
    AIRFLOW__OPENLINEAGE__TRANSPORT='{"type": "file", "append": true, "log_file_path": "'$folder/$full.jsonl'"}' \
    AIRFLOW__OPENLINEAGE__INCLUDE_FULL_TASK_INFO=$full bin/python run.py >$full.log 2>&1
done
bin/python - <<'PY'
import json


def seen(what, found, recorded):
    """Print what was found. Compare texts, as Python takes 1, 1.0 and True for equal."""
    print(f"{what}: {found!r}")
    if repr(found) != repr(recorded):
        raise SystemExit(f"CHANGED. {what}: we recorded {recorded!r}")


def events(full):
    """Return the types of the task's events."""
    with open(f"{full}.jsonl") as file:
        every = [json.loads(line) for line in file]
    return [event["eventType"] for event in every if event["job"]["name"] == "example.plain"]


for full, recorded, failed in ((False, ["START", "COMPLETE"], False), (True, [], True)):
    with open(f"{full}.log") as log:
        said = log.read()
    setting = f"include_full_task_info = {full}"
    seen(f"{setting}: the run", "<the run: success >" in said, True)
    seen(f"{setting}: the task's events", events(full), recorded)
    seen(f"{setting}: a RecursionError in the log", "RecursionError" in said, failed)
PY
