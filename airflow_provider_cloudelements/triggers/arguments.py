"""How a trigger becomes its arguments again, when Airflow stores it."""

from __future__ import annotations

from typing import Any, ClassVar


class SerializedTrigger:
    """Serializes a trigger from what it declares. Goes before Airflow's base among a trigger's bases."""

    #: Attributes that hold the arguments, in their order. One that has ``as_arguments()`` holds several, and
    #: one that has ``as_json()`` is stored as that.
    stored: ClassVar[tuple[str, ...]]

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return where the class is, and the arguments to make it again."""
        arguments: dict[str, Any] = {}
        for name in self.stored:
            value = getattr(self, name)
            if hasattr(value, "as_arguments"):
                arguments.update(value.as_arguments())
            else:
                arguments[name] = value.as_json() if hasattr(value, "as_json") else value
        return f"{type(self).__module__}.{type(self).__qualname__}", arguments
