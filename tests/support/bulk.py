"""Tries of bulk operators that end as a killed worker's do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


class Killed(BaseException):
    """What ends a worker at once, as SIGKILL does: nothing is tidied up on the platform."""


def ending_while_it_waits(
    monkeypatch: pytest.MonkeyPatch, sandbox: Any, attempt: Callable[..., Any]
) -> Callable[..., None]:
    """Return what makes a try, and ends it while it waits for its job.

    :param attempt: Makes a try, of an instance, a file and a store.
    """
    from airflow_provider_cloudelements.operators._parts import bulk_work

    def end(*_: Any, **__: Any) -> None:
        raise Killed

    def run(number: int, path: str, store: Any, **more: Any) -> None:
        sandbox.configure(bulk_duration=2)
        with monkeypatch.context() as patched:
            patched.setattr(bulk_work, "wait", end)
            with pytest.raises(Killed):
                attempt(number, path, store, **more)

    return run
