#!/usr/bin/env bash
# Airflow 3.3.2 (Task SDK 1.3.2) with apache-airflow-providers-common-io 1.11.0: ObjectStoragePath.copy and FileTransferOperator of a folder.
# Guess: the folder's files are at the destination, or the copy fails.
# Seen: nothing is copied, and nothing is raised, so that a task succeeds. copy(..., recursive=True) copies the files; the operator, which is for
# files, has no such argument. move() of the same folder moves all of it.
set -euo pipefail
constraints=$(cd "$(dirname "$0")/../constraints" && pwd)/airflow-3.3.2-py311.txt
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/python -m pip install -qq --disable-pip-version-check -c "$constraints" apache-airflow-core==3.3.2 \
    apache-airflow-providers-standard==1.21.0 apache-airflow-providers-common-io==1.11.0
export AIRFLOW_HOME=$folder
bin/python - <<'PY'
from pathlib import Path

from airflow.providers.common.io.operators.file_transfer import FileTransferOperator
from airflow.sdk import ObjectStoragePath


def seen(what, found, recorded):
    """Print what was found. Compare texts, as Python takes 1, 1.0 and True for equal."""
    print(f"{what}: {found!r}")
    if repr(found) != repr(recorded):
        raise SystemExit(f"CHANGED. {what}: we recorded {recorded!r}")


here = Path.cwd()
(here / "from" / "in").mkdir(parents=True)
(here / "from" / "a.csv").write_text("a")
(here / "from" / "in" / "b.csv").write_text("b")
source = ObjectStoragePath(f"file://{here}/from")


def files(name):
    return sorted(str(path.relative_to(here / name)) for path in (here / name).rglob("*.csv"))


seen("copy returns", source.copy(ObjectStoragePath(f"file://{here}/copied")), None)
seen("copy", files("copied"), [])
FileTransferOperator(task_id="transfer", src=source, dst=f"file://{here}/transferred").execute({})
seen("FileTransferOperator", files("transferred"), [])
source.copy(ObjectStoragePath(f"file://{here}/whole"), recursive=True)
seen("copy with recursive=True", files("whole"), ["a.csv", "in/b.csv"])
source.move(ObjectStoragePath(f"file://{here}/moved"))
seen("move", files("moved"), ["a.csv", "in/b.csv"])
PY
