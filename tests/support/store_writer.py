"""One try of a task that writes a file into a store, or reads one, in a process that a test can kill."""

from __future__ import annotations

import contextlib
import datetime
import importlib
import json
import os
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any, Self

import pytest
from airflow import __version__ as airflow_version

from tests.support.patience import eventually
from tests.support.stores import Store

ROOT = Path(__file__).resolve().parents[2]

#: The kinds that write a file.
KINDS = ("bulk", "records", "changes")
#: The kind that reads one, and writes another with the errors.
UPLOAD = "upload"
RETRIES = 100
outliving_notes = pytest.mark.skipif(
    airflow_version.startswith(("3.1.", "3.2.")),
    reason="before 3.3, Airflow has no place in which a task's note of its job outlives a try",
)


def operator_of(kind: str, path: str, instance_id: int) -> Any:
    """Return the operator.

    :param kind: One of :data:`KINDS`, or :data:`UPLOAD`.
    :param path: The file.
    :param instance_id: The instance.
    """
    if kind == UPLOAD:
        from airflow_provider_cloudelements.operators.bulk import CloudElementsUploadBulkOperator

        return CloudElementsUploadBulkOperator(
            task_id="read",
            instance_id=instance_id,
            object_name="contacts",
            path=path,
            errors_path=f"{path}.errors",
            max_errors=None,
            poke_interval=1,
            deferrable=False,
            retries=RETRIES,
        )
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


def written(kind: str, path: str, instance_id: int, memory: Path, try_number: int = 1) -> dict[str, Any]:
    """Run one try, and return what the task returns.

    :param memory: File of the task's state store, which outlives the try.
    :param try_number: Its number.
    """
    from tests.support.context import FakeTi, FileStore, context_of

    ti = FakeTi(try_number)
    ti.max_tries = RETRIES  # type: ignore[attr-defined]  # as Airflow's own
    context = context_of(ti)
    context["task_state_store"] = FileStore(memory)
    done: dict[str, Any] = operator_of(kind, path, instance_id).execute(context)
    return done


class Writers:
    """The process that forks for each try, since Airflow loads slowly. It lives in a ``with`` block."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def begin(self, out: Path, **given: Any) -> int:
        """Begin a try, and return its process's id once the task begins.

        :param out: File for what it prints.
        :param given: The store, the writer and its file, as :func:`_try` reads them.
        """
        assert self._process.stdin is not None
        out.write_text("")
        self._process.stdin.write(json.dumps({**given, "out": str(out)}) + "\n")
        self._process.stdin.flush()
        pid = self._told()
        eventually(lambda: out.read_text(), pause=0.01)
        return pid

    def status(self) -> int:
        """Wait until the try has ended, and return its exit code."""
        return self._told()

    def _told(self) -> int:
        assert self._process.stdout is not None
        return int(self._process.stdout.readline())


def _try(given: dict[str, Any]) -> None:
    store = Store(given["store"], given["place"])
    store.attach()
    print("ready", flush=True)
    path, memory = store.path(given["name"]), Path(given["memory"])
    done = written(given["kind"], path, given["instance_id"], memory, given["try_number"])
    print(json.dumps(done), flush=True)


def _serve() -> None:
    """Load what a try needs, then fork for each line of stdin; tell its pid and its exit code."""
    for kind in (*KINDS, UPLOAD):
        operator_of(kind, "file:///none", 1)
    for module in ("s3fs", "adlfs", "gcsfs"):
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
    for line in sys.stdin:
        given = json.loads(line)
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                out = os.open(given["out"], os.O_WRONLY)
                os.dup2(out, 1)
                os.dup2(out, 2)
                _try(given)
                code = 0
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        print(pid, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


if __name__ == "__main__":
    _serve()
