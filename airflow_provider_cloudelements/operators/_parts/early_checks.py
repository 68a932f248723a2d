"""Check plain arguments of mapped operators when the DAG is parsed.

Airflow calls ``__init__`` of a mapped operator only when a copy runs. Without this, a wrong switch in
``partial(...)`` would show in the first run alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_cloudelements.client.arguments import require_count
from airflow_provider_cloudelements.operators._parts.base import require_bool, require_choice

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator

    _Base = BaseOperator
else:
    _Base = object


class EarlyChecks(_Base):
    """Base of operators that check arguments in ``partial`` too. Name it before Airflow's base class."""

    #: Checks of arguments by their names. ``__init__`` uses the same ones. Each returns the value or raises.
    checks: ClassVar[Mapping[str, Callable[[Any], Any]]] = {}

    @classmethod
    def partial(cls, **kwargs: Any) -> Any:
        """Check the arguments, then do as Airflow's own method.

        :param kwargs: Arguments that all copies share.
        """
        for name, check in cls.checks.items():
            if name in kwargs:
                check(kwargs[name])
        return super().partial(**kwargs)


def switch(name: str) -> Callable[[Any], bool]:
    """Return the check of a switch.

    :param name: Name of the argument.
    """
    return lambda value: require_bool(name, value)


def choice(name: str, choices: tuple[str, ...]) -> Callable[[Any], str]:
    """Return the check of an argument that is one of a few words.

    :param name: Name of the argument.
    :param choices: The words.
    """
    return lambda value: require_choice(name, value, choices)


def function_or_none(name: str) -> Callable[[Any], Callable[..., Any] | None]:
    """Return the check of an argument that is a function or ``None``.

    :param name: Name of the argument.
    """

    def check(value: Any) -> Callable[..., Any] | None:
        if value is not None and not callable(value):
            raise TypeError(f"{name} must be a function, or None.")
        return value  # type: ignore[no-any-return]  # it is callable or None

    return check


def count(name: str, least: int = 0, most: int | None = None) -> Callable[[Any], int]:
    """Return the check of an argument that is a whole number.

    :param name: Name of the argument.
    :param least: Least value. Default: 0.
    :param most: Greatest value. Default: no limit.
    """
    return lambda value: require_count(name, value, least, most)


def count_or_none(name: str) -> Callable[[Any], int | None]:
    """Return the check of an argument that is a whole number from 0 on, or ``None``.

    :param name: Name of the argument.
    """
    check = count(name)
    return lambda value: None if value is None else check(value)
