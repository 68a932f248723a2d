#!/usr/bin/env bash
# Airflow 3.3.2 (apache-airflow-core, Task SDK 1.3.2): Param of a DAG with format "date-time", and of type integer.
# Guess: a text that is no time is refused, as one is that is no date with format "date"; 5.0 is refused for an integer or becomes 5.
# Seen: with "date-time" (and "uri") any text passes, "x" too, and reaches the tasks: Airflow requires no package that jsonschema could
# check these with. "date", "time", "email" and "uuid" are checked. 5.0 passes as an integer, and stays 5.0. We saw the
# same on 3.1.8 and 3.2.2, by Param.resolve(); this script runs 3.3.2.
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

from airflow.sdk import DAG, Param, task

with DAG(
    "example",
    start_date=datetime(2026, 1, 1),
    schedule=None,
    params={"since": Param(type="string", format="date-time"), "page": Param(type="integer"), "day": Param(type="string", format="date")},
):

    @task
    def tell(params=None):
        with open(os.environ["SEEN"], "a") as file:
            print(json.dumps(dict(params), sort_keys=True), file=file)

    tell()
PY
export AIRFLOW_HOME=$folder AIRFLOW__CORE__DAGS_FOLDER=$folder/dags AIRFLOW__CORE__LOAD_EXAMPLES=False SEEN=$folder/seen.txt
bin/airflow db migrate > migrate.log 2>&1 || { tail -n 40 migrate.log; exit 1; }
run() { bin/airflow dags test example --conf "$1" > run.log 2>&1; }
# The first run only reads the DAG into the database.
run '{"since": "next Tuesday", "page": 5.0, "day": "2026-01-02"}' || { tail -n 40 run.log; exit 1; }
cat seen.txt
grep -qx '{"day": "2026-01-02", "page": 5.0, "since": "next Tuesday"}' seen.txt || { echo "CHANGED: we recorded that these values reach the task"; exit 1; }
if run '{"since": "2026-01-02T00:00:00Z", "page": 5, "day": "next Tuesday"}'; then echo "CHANGED: a wrong date was refused"; exit 1; fi
grep -q "'next Tuesday' is not a 'date'" run.log || { tail -n 40 run.log; echo "CHANGED: no refusal of the date"; exit 1; }
echo "day: 'next Tuesday' is refused"
