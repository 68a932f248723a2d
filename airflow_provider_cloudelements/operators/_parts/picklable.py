"""Let operators and sensors be copied and pickled, also after they ran."""

from __future__ import annotations

from typing import Any

#: Attributes that a task makes again when it needs them: the hook, which has read the connection's secrets
#: and holds open connections, and Airflow's logger, which no pickle can hold.
_MADE_AGAIN = frozenset({"hook", "_cached_logger"})


class Picklable:
    """Mixin of tasks, before the base class of Airflow's."""

    def __getstate__(self) -> dict[str, Any]:
        """Return what a copy or a pickle holds."""
        state: dict[str, Any] = super().__getstate__()  # type: ignore[assignment]
        return {name: value for name, value in state.items() if name not in _MADE_AGAIN}
