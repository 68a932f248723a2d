"""Plans on demand: what becomes of the next jobs or executions, as a control call says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Generic, TypeGuard, TypeVar

from airflow_provider_cloudelements.sandbox.core.errors import bad_request


@dataclass(slots=True, kw_only=True)
class Plan:
    """What becomes of the next few of something.

    :param count: how many get it; None for all from now on.
    """

    count: int | None = 1
    applied: int = field(default=0, init=False)

    @property
    def spent(self) -> bool:
        """Whether no further one gets it."""
        return self.count is not None and self.applied >= self.count


_Plan = TypeVar("_Plan", bound=Plan)


class Plans(Generic[_Plan]):
    """The plans, oldest first. Each new job or execution gets the first that is not spent.

    :param default: makes the plan of those that no plan is for.
    """

    def __init__(self, default: Callable[[], _Plan]) -> None:
        self._default = default
        self._plans: list[_Plan] = []

    def add(self, plan: _Plan) -> None:
        """Keep a plan.

        :param plan: the plan.
        """
        self._plans.append(plan)

    def clear(self) -> None:
        """Forget all plans."""
        self._plans.clear()

    def pick(self) -> _Plan:
        """Return the plan of a new job or execution, and count it."""
        for plan in self._plans:
            if not plan.spent:
                plan.applied += 1
                return plan
        return self._default()

    def view(self) -> list[dict[str, Any]]:
        """Return all plans for the control calls, the spent ones too."""
        return [asdict(plan) for plan in self._plans]


def checked(body: dict[str, Any], checks: Mapping[str, tuple[bool, str]]) -> dict[str, Any]:
    """Return the fields of a plan.

    :param body: a control call's body.
    :param checks: by name of a field: whether its value fits, and what would.
    :raises ApiError: 400; it names the field that does not fit.
    """
    for name in body:
        if name not in checks:
            raise bad_request(f"Unknown field; a plan has {', '.join(checks)}")
    for name, (fits, what) in checks.items():
        if not fits:
            raise bad_request(f"{name} must be {what}")
    return body


def whole(value: Any, low: int, high: int = 10**9) -> TypeGuard[int]:
    """Return whether a value is a whole number within bounds.

    :param value: the value.
    :param low: the lowest.
    :param high: the highest.
    """
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
