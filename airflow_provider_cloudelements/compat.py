"""The differences between Airflow 3.1, 3.2 and 3.3, in one place.

Everything here is a name or a small function. Outside this module, only :mod:`retry_policy` depends on the
version.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from airflow.sdk import BaseHook, Connection
    from airflow.sdk.exceptions import AirflowException as AirflowException
    from airflow.sdk.exceptions import AirflowFailException as AirflowFailException
    from airflow.sdk.exceptions import AirflowNotFoundException as AirflowNotFoundException
    from airflow.sdk.exceptions import AirflowSkipException as AirflowSkipException
    from airflow.sdk.exceptions import AirflowTaskTimeout as AirflowTaskTimeout
    from airflow.sdk.exceptions import TaskDeferralTimeout as TaskDeferralTimeout
else:
    try:
        from airflow.sdk.exceptions import (
            AirflowException,
            AirflowFailException,
            AirflowNotFoundException,
            AirflowSkipException,
            AirflowTaskTimeout,
            TaskDeferralTimeout,
        )
    except ImportError:  # Airflow 3.1
        from airflow.exceptions import (
            AirflowException,
            AirflowFailException,
            AirflowNotFoundException,
            AirflowSkipException,
            AirflowTaskTimeout,
            TaskDeferralTimeout,
        )

__all__ = [
    "AirflowException",
    "AirflowFailException",
    "AirflowNotFoundException",
    "AirflowSkipException",
    "AirflowTaskTimeout",
    "TaskDeferralTimeout",
    "aget_asset_state",
    "aget_connection",
    "aget_variable",
    "amask_secrets",
    "aset_asset_state",
    "aset_variable",
    "atask_state",
    "default_deferrable",
    "has_asset_state",
    "has_variables",
    "mask_secret",
    "mask_token",
    "masked",
    "object_storage_path",
    "task_state_store",
    "unreadable",
]


_Done = TypeVar("_Done")


async def aget_connection(hook: BaseHook, conn_id: str) -> Connection:
    """Read a connection from a coroutine.

    Before Airflow 3.3.2, ``aget_connection`` sends the secrets to the supervisor with a blocking call on the
    event loop. The call fails there, on 3.3.0 with an exception that ``except Exception`` does not catch. A
    thread of asgiref's may block. (From 3.3.2 on, a connection has ``aextra_dejson``.)

    :param hook: The hook that reads the connection.
    :param conn_id: Id of the connection.
    """
    from airflow.sdk import Connection as AirflowConnection

    if hasattr(AirflowConnection, "aextra_dejson"):
        return await hook.aget_connection(conn_id)
    return await _blocking(hook.get_connection, conn_id)


def default_deferrable() -> bool:
    """Return the value of ``[operators] default_deferrable`` in Airflow's configuration."""
    try:
        from airflow.sdk.configuration import conf
    except ImportError:  # Airflow 3.1
        from airflow.configuration import conf

    return bool(conf.getboolean("operators", "default_deferrable", fallback=False))


def mask_token(token: str) -> None:
    """Register an element token with Airflow's masker, once and as it is.

    A token travels in a header and never in a URL. Each registration compiles one expression over all
    secrets, so further forms of a token would multiply the cost of a task that hands out hundreds.

    :param token: The token.
    """
    from airflow.sdk.log import mask_secret as airflow_mask_secret

    airflow_mask_secret(token)


def mask_secret(value: str) -> None:
    """Register a secret that may get into a URL with Airflow's masker, as it is and as a URL writes it.

    The masker finds exact strings only. The platform's secrets are base64, and a URL writes ``/ + =``
    differently: Python's own functions write them in three ways. For each form that differs, the masker
    recompiles one expression over all of them. This is why lists hand out no tokens, and why tokens have
    :func:`mask_token`.

    :param value: The secret. Airflow does not mask values under five characters.
    """
    from urllib.parse import quote, quote_plus

    from airflow.sdk.log import mask_secret as airflow_mask_secret

    quoted = (
        quote(value, safe="", errors="replace"),
        quote(value, errors="replace"),
        quote_plus(value, errors="replace"),
    )
    for form in dict.fromkeys((value, *quoted)):
        airflow_mask_secret(form)


def masked(text: str) -> str:
    """Return a text with asterisks for each secret that Airflow's masker knows in this process.

    :param text: The text, for a place of Airflow's that masks nothing by itself.
    """
    from airflow.sdk.log import redact  # type: ignore[attr-defined]

    return str(redact(text))


async def amask_secrets(values: Iterable[str]) -> None:
    """Register secrets with Airflow's masker, from a coroutine.

    The function uses a thread of asgiref's. Only such a thread can send secrets to the supervisor on every
    line of Airflow. On the event loop the call fails, and on Airflow 3.1 a call from any other thread would
    disturb the pipe to the supervisor.

    :param values: The secrets.
    """

    def mask_all() -> None:
        for value in values:
            mask_secret(value)

    await _blocking(mask_all)


def task_state_store(context: Any) -> Any | None:
    """Return the task's state store (Airflow 3.3 and later).

    :param context: The context that ``execute`` received.
    :return: The store, ``None`` on Airflow 3.1 and 3.2 and outside a running task.
    """
    return context.get("task_state_store") if context else None


async def atask_state(trigger: Any) -> str | None:
    """Return the state in which a trigger's task is by now, from a coroutine (Airflow 3.3 and later).

    :param trigger: The trigger, as the triggerer made it.
    :return: ``None`` if the task is to run again, or the trigger has no task.
    """
    ti = getattr(trigger, "task_instance", None)
    if ti is None:
        return None

    def ask() -> dict[str, Any]:
        from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

        return RuntimeTaskInstance.get_task_states(
            dag_id=ti.dag_id, task_ids=[ti.task_id], run_ids=[ti.run_id], map_index=ti.map_index
        )

    states = (await _blocking(ask)).get(ti.run_id) or {}
    # A mapped task's copies have their index in their names.
    names = (ti.task_id, f"{ti.task_id}_{ti.map_index}")
    state = next((states[name] for name in names if name in states), None)
    return None if state is None else str(getattr(state, "value", state))


async def aget_asset_state(trigger: Any, key: str) -> Any | None:
    """Read from the state store of the asset that a trigger watches (Airflow 3.3 and later).

    :param trigger: The trigger, as the triggerer made it.
    :param key: Key to read.
    :return: The value; ``None`` if there is no value, or no store.
    :raises ValueError: Several assets share the trigger, and none has its own state.
    """
    store = _asset_state_store(trigger)
    if store is None:
        return None
    if hasattr(store, "aget"):
        return await store.aget(key)
    return await _blocking(store.get, key)  # before Airflow 3.3.2


async def aset_asset_state(trigger: Any, key: str, value: Any) -> None:
    """Write to the state store of the asset that a trigger watches.

    If there is no store, the function does nothing.

    :param trigger: The trigger, as the triggerer made it.
    :param key: Key to write to.
    :param value: The value: JSON, and not ``None``.
    :raises ValueError: Several assets share the trigger.
    """
    store = _asset_state_store(trigger)
    if store is None:
        return
    if hasattr(store, "aset"):
        await store.aset(key, value)
        return
    await _blocking(store.set, key, value)  # before Airflow 3.3.2


def has_asset_state(trigger: Any) -> bool:
    """Return whether a trigger watches an asset that has a state store (Airflow 3.3 and later).

    :param trigger: The trigger, as the triggerer made it.
    """
    return _asset_state_store(trigger) is not None


def has_variables() -> bool:
    """Return whether this process can read and write Variables: in a triggerer or task, not elsewhere."""
    return _supervisor() is not None


async def aget_variable(key: str) -> str | None:
    """Read a Variable from Airflow's database, from a coroutine.

    ``Variable.get`` takes a database that is away for a Variable that is missing. This function does not.

    :param key: The Variable's key.
    :return: Its value; ``None`` if there is no such Variable.
    :raises PermissionError: The triggerer may not read it.
    :raises RuntimeError: Airflow gave another answer.
    """
    return await _blocking(_get_variable, key)


def _get_variable(key: str) -> str | None:
    from airflow.sdk.exceptions import AirflowRuntimeError
    from airflow.sdk.execution_time.comms import ErrorResponse, GetVariable, VariableResult

    try:
        answer = _supervisor().send(GetVariable(key=key))  # type: ignore[union-attr]
    except AirflowRuntimeError as failure:
        answer = failure.error
    if isinstance(answer, VariableResult):
        return answer.value
    kind = answer.error.value if isinstance(answer, ErrorResponse) else type(answer).__name__
    if kind == "VARIABLE_NOT_FOUND":
        return None
    if kind == "PERMISSION_DENIED":
        raise PermissionError(f"Variable {key} may not be read.")
    raise RuntimeError(f"Variable {key} could not be read ({kind}).")


async def aset_variable(key: str, value: Any, description: str) -> None:
    """Write a Variable to Airflow's database, from a coroutine.

    ``Variable.set`` would look the key up in each secrets backend first.

    :param key: The Variable's key.
    :param value: The value: JSON.
    :param description: What the Variable is for.
    """

    def write() -> None:
        import json

        from airflow.sdk.execution_time.comms import PutVariable

        message = PutVariable(key=key, value=json.dumps(value), description=description)
        _supervisor().send(message)  # type: ignore[union-attr]

    await _blocking(write)


def _supervisor() -> Any | None:
    """Return the channel to the process that supervises this one; ``None`` if there is none."""
    import sys

    return getattr(sys.modules.get("airflow.sdk.execution_time.task_runner"), "SUPERVISOR_COMMS", None)


async def _blocking(work: Callable[..., _Done], *arguments: Any) -> _Done:
    """Run a function that would block the event loop in a thread of asgiref's."""
    from asgiref.sync import sync_to_async

    return await sync_to_async(work)(*arguments)


def _asset_state_store(trigger: Any) -> Any | None:
    """Return the store; ``None`` on Airflow 3.1 and 3.2, and before the trigger watches an asset."""
    return getattr(trigger, "asset_state_store", None)


def object_storage_path(address: str) -> Any:
    """Return Airflow's path of an object in a storage.

    :param address: Its address, such as ``s3://connection@bucket/key``.
    """
    from airflow.sdk import ObjectStoragePath

    return ObjectStoragePath(address)


def unreadable(conn_id: str) -> str | None:
    """Return what is wrong if the environment has a connection that Airflow cannot read.

    Airflow says of it what it says of a connection that does not exist.

    :param conn_id: Id of a connection that Airflow did not find.
    """
    name = f"AIRFLOW_CONN_{conn_id.upper()}"
    if not os.environ.get(name):
        return None
    return (
        f"Airflow cannot read the connection {conn_id!r} in the variable {name} of the environment: it must "
        "be the JSON or the URI of a connection. In JSON, extra must be an object, or the JSON of one as a "
        "text."
    )
