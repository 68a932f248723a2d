"""A process that runs an upload as a worker does, and can be killed: it keeps its task's state in a file."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from airflow_provider_cloudelements.operators.bulk import CloudElementsUploadBulkOperator
from tests.support.context import FakeTi, FileStore, context_of


def main(instance: str, path: str, store: str, try_number: str) -> None:
    """Say that the work begins, do it, and print what the task returns."""
    operator = CloudElementsUploadBulkOperator(
        task_id="upload",
        instance_id=instance,
        object_name="contacts",
        path=path,
        poke_interval=1,
        deferrable=False,
        retries=100,
    )
    ti = FakeTi(int(try_number))
    ti.max_tries = 100  # type: ignore[attr-defined]  # as Airflow's own
    print("begins", flush=True)
    print(json.dumps(operator.execute(context_of(ti, FileStore(Path(store))))), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
