"""Keep the rendered values of secret fields where nothing that prints or pickles an operator finds them.

Airflow stores an operator's template fields, and its OpenLineage provider may send the operator's whole
``__dict__``. So the fields hold what may be shown, and one object beside them gives the values to the
operator.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from types import FrameType
from typing import Any

from airflow_provider_cloudelements.client.wire.secrecy import (
    ASTERISKS,
    is_secret_key,
)
from airflow_provider_cloudelements.compat import AirflowFailException
from airflow_provider_cloudelements.exceptions import CloudElementsValidationError


class KeptValues:
    """Hold the values of secret fields by name. Its text, ``repr``, pickle and ``__dict__`` show asterisks.

    A copy within the process shares the values. They never change.

    :param values: The rendered values, by field; ``None``: they stayed in another process.
    :param names: The names of the fields.
    """

    __slots__ = ("_read", "names")

    def __init__(self, values: Mapping[str, Any] | None, names: Iterable[str] = ()) -> None:
        # A function shows nothing of what it closes over; an attribute would.
        self._read: Callable[[], Mapping[str, Any] | None] = lambda: values
        self.names = tuple(names if values is None else values)

    @property
    def __dict__(self) -> dict[str, Any]:  # type: ignore[override]
        """What walks objects finds here: the fields' names and asterisks."""
        return dict.fromkeys(self.names, ASTERISKS)

    def value(self, field: str) -> Any:
        """Return the value of a field.

        :param field: One of ``names``.
        :raises CloudElementsValidationError: The object came from a pickle, which holds no values.
        """
        values = self._read()
        if values is None:
            raise CloudElementsValidationError(
                f"The value of {field} is not here: a pickle of an operator with rendered fields does not "
                "hold it. Pickle the operator before its fields are rendered."
            )
        return values[field]

    def __repr__(self) -> str:
        return ASTERISKS

    def __copy__(self) -> KeptValues:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> KeptValues:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _left_behind, (ASTERISKS, self.names)


def _left_behind(_: str, names: tuple[str, ...]) -> KeptValues:
    return KeptValues(None, names)


def end_for_unknown_rendering(task_id: str) -> AirflowFailException:
    """Return the error for a task whose secret fields are not rendered by this provider's own method.

    :param task_id: The task.
    """
    return AirflowFailException(
        f"Task {task_id!r}: something other than this provider rendered or assigned a field that may hold a "
        "secret, so the provider could not hide its value. The task ends before anything is sent. Does a "
        "hook of yours assign the field while the task runs? If not, this release of Airflow renders fields "
        "in a new way: use a newer release of airflow-provider-cloudelements, or an older one of Airflow."
    )


def constructing(operator: Any) -> bool:
    """Return whether an ``__init__`` of this very object is at work."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_name == "__init__" and frame.f_locals.get("self") is operator:
            return True
        frame = frame.f_back
    return False


def literal_keys(written: Any, rendered: Any) -> list[str]:
    """Return the keys of credentials that a field holds as written in the DAG's source.

    :param written: The field before it was rendered.
    :param rendered: The field after it.
    """
    if not isinstance(written, Mapping) or not isinstance(rendered, Mapping):
        return []
    return [
        str(key)
        for key, value in rendered.items()
        if is_secret_key(str(key)) and isinstance(value, str) and value and written.get(key) == value
    ]
