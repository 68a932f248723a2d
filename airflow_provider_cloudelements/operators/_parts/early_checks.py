"""Check plain arguments of mapped operators when the DAG is parsed.

Airflow calls ``__init__`` of a mapped operator only when a copy runs. Without this, a wrong switch in
``partial(...)`` or ``expand(...)`` would show in the first run alone. What an upstream task gives is not
known before then.
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice, product
from math import prod
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_cloudelements.client.arguments import require_count
from airflow_provider_cloudelements.client.wire.request import is_number
from airflow_provider_cloudelements.operators._parts.base import require_bool, require_choice
from airflow_provider_cloudelements.operators._parts.checked_partial import CheckedPartial

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator

    _Base = BaseOperator
else:
    _Base = object

#: Most combinations of literal values that are checked.
_MOST_COMBINATIONS = 1_000


class EarlyChecks(_Base):
    """Base of operators that check arguments of mapped tasks too. Name it before Airflow's base class."""

    #: Checks of arguments by their names. ``__init__`` uses the same ones. Each returns the value or raises.
    checks: ClassVar[Mapping[str, Callable[[Any], Any]]] = {}
    #: Checks of arguments that must go together. The parameters of each have the arguments' names.
    checks_together: ClassVar[Sequence[Callable[..., None]]] = ()
    #: Arguments that name a file which the operator writes.
    written_files: ClassVar[Sequence[str]] = ()

    @classmethod
    def partial(cls, **kwargs: Any) -> Any:
        """Check the arguments, then do as Airflow's own method.

        :param kwargs: Arguments that all copies share.
        """
        cls._check_alone(kwargs)
        for check in cls.checks_together:
            if all(name in kwargs for name in _names(check)):
                cls._check(check, kwargs)
        return CheckedPartial.of(super().partial(**kwargs))

    def require_together(self) -> None:
        """Check the arguments that must go together, at the end of ``__init__``.

        :raises ValueError: They do not.
        """
        for check in self.checks_together:
            check(**{name: getattr(self, name) for name in _names(check)})

    @classmethod
    def check_copies(
        cls,
        given: Mapping[str, Any],
        copies: Sequence[Mapping[str, Any]],
        unknown: bool = False,
        fixed: Collection[str] = (),
    ) -> None:
        """Check the arguments of mapped copies.

        :param given: The arguments that all copies share.
        :param copies: Further arguments of each copy, which replace those.
        :param unknown: Whether an upstream task gives further copies, or all.
        :param fixed: The arguments that such a copy does not replace.
        :raises Exception: An argument is wrong, in the copies that have it.
        """
        for copy in copies:
            cls._check_alone(copy)
            cls._check_together({**given, **copy})
        for name in cls.written_files:
            for path in _repeated({**given, **copy}.get(name) for copy in copies):
                cls._check_file(name, {**given, name: path})
            if unknown and name in fixed:
                cls._check_file(name, given)

    @classmethod
    def check_mapped(cls, given: Mapping[str, Any], mapped: Mapping[str, Any]) -> None:
        """Check the same, where each list of values is combined with each other one.

        :param given: The arguments that all copies share.
        :param mapped: The values of each other argument: a list, or what an upstream task gives.
        :raises Exception: An argument is wrong.
        """
        literal = {name: value for name, value in mapped.items() if isinstance(value, list | tuple)}
        for name, values in literal.items():
            for value in values:
                cls._check_alone({name: value})
        for check in cls.checks_together:
            names = [name for name in _names(check) if name in mapped]
            if all(name in literal for name in names):
                combinations = product(*(literal[name] for name in names))
                for values in islice(combinations, _MOST_COMBINATIONS):
                    cls._check(check, {**given, **dict(zip(names, values, strict=True))})
        for name in cls.written_files:
            others = [values for other, values in literal.items() if other != name]
            is_shared = len(others) < len(mapped.keys() - {name}) or prod(map(len, others)) > 1
            paths = literal.get(name, ()) if name in mapped else (given.get(name),)
            for path in paths if is_shared else _repeated(paths):
                cls._check_file(name, {**given, name: path})

    @classmethod
    def _check_file(cls, name: str, given: Mapping[str, Any]) -> None:
        """Check that the copies of a mapped task do not write one file, of which the last one's would stay.

        :raises ValueError: They do.
        """
        path = given.get(name)
        if isinstance(path, str) and not is_template(path, given.get("dag")):
            raise ValueError(
                f"{name} is one file for all copies of the mapped task, and each copy would replace it. "
                f"Say in it which copy writes, as in '{{{{ ti.map_index }}}}', or give each copy its own."
            )

    @classmethod
    def _check_alone(cls, given: Mapping[str, Any]) -> None:
        for name, check in cls.checks.items():
            if name in given:
                check(given[name])

    @classmethod
    def _check_together(cls, given: Mapping[str, Any]) -> None:
        for check in cls.checks_together:
            cls._check(check, given)

    @classmethod
    def _check(cls, check: Callable[..., None], given: Mapping[str, Any]) -> None:
        check(**{name: given[name] if name in given else _default(cls, name) for name in _names(check)})


def is_template(value: Any, dag: Any = None) -> bool:
    """Say whether a text of a DAG file becomes another one when its task runs.

    :param value: An argument.
    :param dag: The DAG, if it is known: it may have signs of its own for templates.
    """
    signs = getattr(dag, "jinja_environment_kwargs", None) or {}
    begins = (signs.get("variable_start_string", "{{"), signs.get("block_start_string", "{%"))
    return isinstance(value, str) and any(each in value for each in begins)


def _repeated(paths: Iterable[Any]) -> list[str]:
    """Return the texts that come more than once."""
    counts = Counter(path for path in paths if isinstance(path, str))
    return [path for path, times in counts.items() if times > 1]


def _names(check: Callable[..., None]) -> Iterator[str]:
    return iter(inspect.signature(check).parameters)


def _default(operator: type, name: str) -> Any:
    """Return the default of an argument, of the first class that declares it."""
    for each in operator.__mro__:
        own = each.__dict__.get("__init__")
        declared = {} if own is None else inspect.signature(own).parameters
        if name in declared:
            return declared[name].default
    raise LookupError(f"{operator.__name__} has no argument {name}")


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


def seconds(name: str, least: float) -> Callable[[Any], float]:
    """Return the check of an argument that is a number of seconds.

    :param name: Name of the argument.
    :param least: Least value.
    """

    def check(value: Any) -> float:
        if not is_number(value, least):
            raise ValueError(
                f"{name} must be a number of seconds, at least {least:g} and at most 100 years; it is not "
                "templated."
            )
        return float(value)

    return check


def count_or_none(name: str) -> Callable[[Any], int | None]:
    """Return the check of an argument that is a whole number from 0 on, or ``None``.

    :param name: Name of the argument.
    """
    check = count(name)
    return lambda value: None if value is None else check(value)
