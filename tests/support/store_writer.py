"""One try of a task that writes a file into a store, in a process that a test can kill at any moment."""

from __future__ import annotations

import datetime
import json
import sys
from pathlib import Path
from typing import Any

#: What a writer of each kind is called with.
KINDS = ("bulk", "records", "changes")


def operator_of(kind: str, path: str, instance_id: int) -> Any:
    """Return the operator.

    :param kind: One of :data:`KINDS`.
    :param path: The file.
    :param instance_id: The instance.
    """
    if kind == "bulk":
        from airflow_provider_cloudelements.operators.bulk import CloudElementsDownloadBulkOperator

        return CloudElementsDownloadBulkOperator(
            task_id="write",
            instance_id=instance_id,
            object_name="contacts",
            path=path,
            poke_interval=1,
            deferrable=False,
        )
    if kind == "records":
        from airflow_provider_cloudelements.operators.records import CloudElementsCallResourceOperator

        return CloudElementsCallResourceOperator(
            task_id="write",
            instance_id=instance_id,
            path="/contacts",
            paginate=True,
            max_xcom_records=0,
            output_path=path,
        )
    from airflow_provider_cloudelements.operators.record_changes import CloudElementsDownloadChangesOperator

    return CloudElementsDownloadChangesOperator(
        task_id="write",
        instance_id=instance_id,
        path="/contacts",
        updated_field="date_updated",
        output_path=path,
        since=datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC).isoformat(),
        until=datetime.datetime(2100, 1, 1, tzinfo=datetime.UTC).isoformat(),
    )


def written(kind: str, path: str, instance_id: int, memory: Path) -> dict[str, Any]:
    """Run one try, and return what the task returns.

    :param memory: File of the task's state store, which outlives the try.
    """
    from tests.crash.harness import FileStore
    from tests.support.context import FakeTi, context_of

    context = context_of(FakeTi())
    context["task_state_store"] = FileStore(memory)
    done: dict[str, Any] = operator_of(kind, path, instance_id).execute(context)
    return done


def main(words: str) -> None:
    """Run the try that a line of JSON describes, and print what the task returns."""
    from tests.support.stores import Store

    given = json.loads(words)
    store = Store(given["store"], given["place"])
    store.attach()
    print("ready", flush=True)
    done = written(given["kind"], store.path(given["name"]), given["instance_id"], Path(given["memory"]))
    print(json.dumps(done), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
