"""What Airflow gives to ``execute``, in memory."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any


class FakeStore:
    """The task state store of Airflow 3.3, in memory: ``None`` is refused as there."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    def get(self, key: str, default: Any = None) -> Any:
        return json.loads(self.values[key]) if key in self.values else default

    def set(self, key: str, value: Any, **_: Any) -> None:
        if value is None:
            raise ValueError("Cannot set value as None")
        self.values[key] = json.dumps(value)


class FileStore:
    """The task state store, in a file that outlives the try."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def _read(self) -> dict[str, Any]:
        return json.loads(self.path.read_text()) if self.path.exists() else {}

    def get(self, key: str, default: Any = None) -> Any:
        return self._read().get(key, default)

    def set(self, key: str, value: Any) -> None:
        if value is None:
            raise ValueError("Cannot set value as None")
        write_json(self.path, {**self._read(), key: value})


class WorkerClock:
    """The module ``time`` of a worker whose clock is ahead of the platform's."""

    monotonic, sleep = staticmethod(time.monotonic), staticmethod(time.sleep)

    def __init__(self, ahead: float) -> None:
        self.ahead = ahead

    def time(self) -> float:
        return time.time() + self.ahead


class FakeTi:
    """A task instance that keeps what is pushed."""

    def __init__(self, try_number: int = 1, **names: Any) -> None:
        self.try_number = try_number
        self.dag_id = names.get("dag_id", "a_dag")
        self.task_id = names.get("task_id", "create")
        self.run_id = names.get("run_id", "manual__1")
        self.map_index = names.get("map_index", -1)
        self.xcoms: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self.xcoms[key] = value


def context_of(ti: FakeTi | None = None, store: FakeStore | None = None) -> dict[str, Any]:
    """Return what ``execute`` gets; with a store as on Airflow 3.3, without as before."""
    context: dict[str, Any] = {"ti": ti or FakeTi()}
    if store is not None:
        context["task_state_store"] = store
    return context


def write_json(path: Path, value: Any) -> None:
    """Write a file as JSON: whole, or not at all."""
    beside = path.with_suffix(".new")
    beside.write_text(json.dumps(value))
    beside.replace(path)
