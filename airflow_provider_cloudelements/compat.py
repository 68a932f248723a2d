"""What differs between Airflow 3.1, 3.2 and 3.3, in one place.

Everything here is a name or a small function. Besides, only :mod:`retry_policy` depends on the version.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk.exceptions import AirflowException as AirflowException
    from airflow.sdk.exceptions import AirflowFailException as AirflowFailException
else:
    try:
        from airflow.sdk.exceptions import AirflowException, AirflowFailException
    except ImportError:  # Airflow 3.1
        from airflow.exceptions import AirflowException, AirflowFailException

__all__ = ["AirflowException", "AirflowFailException", "mask_secret", "task_state_store"]


def mask_secret(value: str) -> None:
    """Register a secret with Airflow's masker, as it is and as it stands in a URL.

    The masker knows exact strings only, and the platform's secrets are base64: ``/ + =`` look otherwise in
    a URL, and Python's own functions write them in three ways. Each form that differs makes the masker
    recompile one expression over all of them, which is why lists hand out no tokens.

    :param value: The secret. Values under five characters are not masked by Airflow.
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


def task_state_store(context: Any) -> Any | None:
    """Return the task's state store (Airflow 3.3 and later).

    :param context: The context that ``execute`` received.
    :return: The store, ``None`` on Airflow 3.1 and 3.2 and outside a running task.
    """
    return context.get("task_state_store") if context else None
