"""Serialize a trigger to its arguments when Airflow stores it."""

from __future__ import annotations

from typing import Any, ClassVar

from airflow_provider_cloudelements.client.wire.request import is_number


class SerializedTrigger:
    """Serialize a trigger from its list of attributes. Name this base before Airflow's base class."""

    #: Attributes that hold the arguments, in their order. An attribute with ``as_arguments()`` holds several
    #: arguments. An attribute with ``as_json()`` is stored as that JSON.
    stored: ClassVar[tuple[str, ...]]

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the path of the class, and the arguments that make the trigger again."""
        arguments: dict[str, Any] = {}
        for name in self.stored:
            value = getattr(self, name)
            if hasattr(value, "as_arguments"):
                arguments.update(value.as_arguments())
            else:
                arguments[name] = value.as_json() if hasattr(value, "as_json") else value
        return f"{type(self).__module__}.{type(self).__qualname__}", arguments


def poll_interval_of(value: Any, least: float = 0.0) -> float:
    """Return a trigger's ``poll_interval``.

    :param value: Seconds between two looks.
    :param least: Least value.
    :raises ValueError: It is no such number. With nan, the poll would not know which waiter comes first.
    """
    if not is_number(value, least):
        raise ValueError(
            f"poll_interval must be a number of seconds, at least {least:g} and at most 100 years."
        )
    return value
