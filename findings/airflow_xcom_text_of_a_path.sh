#!/usr/bin/env bash
# Airflow 3.3.2 with apache-airflow-providers-common-io 1.11.0: its XCom backend, which keeps large values in object storage.
# Guess: a text that a task returns stays that text.
# Seen: the backend takes a text that is a path below xcom_objectstorage_path for its own note, and gives the next task the JSON in that
# file instead. So a task that returns the path of a file that it wrote there passes on what is in the file. A path elsewhere, or in a
# dictionary, stays a path.
set -euo pipefail
constraints=$(cd "$(dirname "$0")/../constraints" && pwd)/airflow-3.3.2-py311.txt
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/python -m pip install -qq --disable-pip-version-check -c "$constraints" apache-airflow-core==3.3.2 \
    apache-airflow-providers-standard==1.21.0 apache-airflow-providers-common-io==1.11.0
mkdir dags
cat > dags/example.py <<'PY'
import json
import os
from datetime import datetime

from airflow.sdk import DAG, task


def say(*what):
    with open(os.environ["SEEN"], "a") as file:
        print(json.dumps(what), file=file)


BELOW = "file://" + os.environ["AIRFLOW_HOME"] + "/store/rows.json"

with DAG("example", schedule=None, start_date=datetime(2026, 1, 1)) as dag:

    @task
    def write():
        with open(BELOW.removeprefix("file://"), "w") as file:
            json.dump({"rows": 2}, file)
        return BELOW

    for name, given in {
        "below": write(),
        "in a dictionary": task(task_id="dictionary")(lambda: {"path": BELOW})(),
        "elsewhere": task(task_id="elsewhere")(lambda: "file:///elsewhere/rows.json")(),
    }.items():
        task(task_id="take_" + name.replace(" ", "_"))(lambda value, name=name: say(name, value))(given)
PY
export AIRFLOW_HOME=$folder AIRFLOW__CORE__LOAD_EXAMPLES=False SEEN=$folder/seen.json
export AIRFLOW__CORE__XCOM_BACKEND=airflow.providers.common.io.xcom.backend.XComObjectStorageBackend
export AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH=file://$folder/store AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_THRESHOLD=1000000
mkdir store
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
folder = os.environ["AIRFLOW_HOME"]
seen("the path of a file below", taken["below"], {"rows": 2})
seen("the same in a dictionary", taken["in a dictionary"], {"path": f"file://{folder}/store/rows.json"})
seen("a path elsewhere", taken["elsewhere"], "file:///elsewhere/rows.json")
PY
