"""Check what callers give to the client. Each error names the argument, and never shows its value."""

from __future__ import annotations

import datetime
import difflib
import inspect
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any
from urllib.parse import quote

import pendulum

from airflow_provider_cloudelements.client.wire.request import bare, is_count, is_number
from airflow_provider_cloudelements.client.wire.secrecy import asterisk_keys
from airflow_provider_cloudelements.exceptions import CloudElementsValidationError
from airflow_provider_cloudelements.keys import is_asterisks

#: Largest integer that names anything: that of 64 bits.
_LARGEST = 2**63 - 1
#: Seconds from 1970 to the year 9999.
LONGEST_SPAN = 253_370_764_800.0


def path_segment(name: str, value: Any) -> str:
    """Return a value as one quoted part of a path.

    :param name: The argument's name, for the error.
    :param value: A text, or an integer above 0. Ends of a text are stripped.
    :raises CloudElementsValidationError: It is something else, or the path would be that of something else.
    """
    value = bare(value)
    text = value.strip() if isinstance(value, str) else ""
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _LARGEST:
        text = str(value)
    if text in ("", ".", ".."):
        # With such a part, the path would be that of a list.
        raise CloudElementsValidationError(
            f"{name} must be a text that is not empty, or a whole number above 0."
        )
    if text == "None":
        # A deletion would find nothing there, and seem to be done.
        raise CloudElementsValidationError(
            f"{name} is 'None', which Jinja writes for a missing value. Check the values of its template."
        )
    return quote(text, safe="", errors="surrogatepass")


def text(name: str, value: Any) -> str:
    """Return a value that must be a text.

    :param name: The argument's name, for the error.
    :param value: The value.
    :raises CloudElementsValidationError: It is something else.
    """
    if not isinstance(value, str):
        raise CloudElementsValidationError(f"{name} must be a text, not of type {type(value).__name__}.")
    return value


def texts(name: str, value: Any) -> tuple[str, ...]:
    """Return a value that must be several texts, in a list or the like.

    :param name: The argument's name, for the error.
    :param value: The value.
    :raises CloudElementsValidationError: It is something else, or a single text, which would be its letters.
    """
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        raise CloudElementsValidationError(f"{name} must be a list of texts.")
    found = tuple(value)
    if not all(isinstance(each, str) for each in found):
        raise CloudElementsValidationError(f"{name} must be a list of texts; it holds something else.")
    return found


def dictionary(name: str, value: Any, *, of_texts: bool = False) -> dict[str, Any]:
    """Return a value that must be a dictionary with texts as keys.

    :param name: The argument's name, for the error.
    :param value: The value; ``None`` is an empty one.
    :param of_texts: Whether its values must be texts too.
    :raises CloudElementsValidationError: It is something else.
    """
    given = {} if value is None else value
    if not isinstance(given, Mapping) or not _all_texts(given):
        raise CloudElementsValidationError(f"{name} must be a dictionary whose keys are texts.")
    if of_texts and not _all_texts(given.values()):
        raise CloudElementsValidationError(f"{name} must be a dictionary of texts.")
    return dict(given)


def one_of(name: str, value: Any, choices: Iterable[str]) -> str:
    """Return a value that must be one of a few words.

    :param name: The argument's name, for the error.
    :param value: The value.
    :param choices: The words.
    :raises CloudElementsValidationError: It is something else.
    """
    words = tuple(choices)
    if not isinstance(value, str) or value not in words:
        raise CloudElementsValidationError(f"{name} must be one of {', '.join(map(repr, words))}.")
    return value


def whole_number(name: str, value: Any, least: int = 1) -> int:
    """Return a value that must be a whole number.

    :param name: The argument's name, for the error.
    :param value: The value.
    :param least: The smallest one. Default: 1.
    :raises CloudElementsValidationError: It is something else.
    """
    if not is_count(value, least):
        raise CloudElementsValidationError(f"{name} must be a whole number from {least} on.")
    return value


def seconds(name: str, value: Any, most: float = LONGEST_SPAN) -> float:
    """Return a value that must be a number of seconds.

    :param name: The argument's name, for the error.
    :param value: The value, 0 or more.
    :param most: The largest one, in seconds. Default: what a date can hold.
    :raises CloudElementsValidationError: It is something else: ``nan`` and infinity are no numbers.
    """
    if not is_number(value, most=most):
        raise CloudElementsValidationError(f"{name} must be a number of seconds from 0 to {most:.0f}.")
    return value


def moment(name: str, value: Any) -> pendulum.DateTime:
    """Return a value that must be a moment.

    :param name: The argument's name, for the error.
    :param value: A ``datetime`` with a time zone.
    :raises CloudElementsValidationError: It is something else.
    """
    if not isinstance(value, datetime.datetime) or value.tzinfo is None:
        raise CloudElementsValidationError(f"{name} must be a datetime with a time zone.")
    return pendulum.instance(value)


def refuse_asterisks(argument: str, value: Any) -> None:
    """Refuse asterisks in place of a secret: whoever copied them from a page would overwrite the secret.

    :param argument: The argument's name.
    :param value: Its rendered value: a text, or keys and values.
    :raises CloudElementsValidationError: It is, or holds, asterisks alone.
    """
    if value is None:
        return
    keys = asterisk_keys(value) if isinstance(value, Mapping) else []
    where = f"{argument}[{keys[0]!r}]" if keys else argument
    if keys or is_asterisks(value):
        raise CloudElementsValidationError(
            f"{where} consists of asterisks, which Airflow and the platform show in place of a secret. Give "
            "the secret itself."
        )


def unknown_argument(who: str, given: Iterable[str], *known_by: Callable[..., Any]) -> TypeError | None:
    """Return the error for an argument that does not exist. It names the nearest one that does.

    :param who: What was called.
    :param given: Names of the arguments that it was given.
    :param known_by: The functions and classes that declare its arguments. The bases of a class count, too.
    :return: ``None`` if each argument is declared.
    """
    known = sorted(set().union(*map(_declared, known_by)))
    unknown = next((name for name in given if name not in known), None)
    if unknown is None:
        return None
    near = difflib.get_close_matches(unknown, known, n=1, cutoff=0.75)
    hint = f"did you mean {near[0]!r}?" if near else "look at its page for those that it has."
    return TypeError(f"{who} has no argument {unknown!r}: {hint}")


def refuse_unknown(who: str, given: Iterable[str], *known_by: Callable[..., Any]) -> None:
    """Refuse arguments that a function hands on, and that nothing declares: :func:`unknown_argument`.

    :raises TypeError: There is no such argument.
    """
    if refused := unknown_argument(who, given, *known_by):
        raise refused


def _declared(known_by: Callable[..., Any]) -> set[str]:
    if inspect.isclass(known_by):
        inits = [vars(kind).get("__init__") for kind in known_by.__mro__]
        return set().union(*(_declared(each) for each in inits if inspect.isfunction(each)))
    parameters = inspect.signature(known_by).parameters.values()
    return {each.name for each in parameters if each.kind is not each.VAR_KEYWORD}


def require_count(name: str, value: Any, least: int = 1, most: int | None = None) -> int:
    """Check an argument of an operator that is a whole number.

    :param name: The argument's name, for the error.
    :param value: The value.
    :param least: The smallest one. Default: 1.
    :param most: The largest one. Default: no bound.
    :raises ValueError: The value is no whole number, or out of bounds.
    """
    if not is_count(value, least, most):
        bounds = f"from {least} on" if most is None else f"from {least} to {most}"
        raise ValueError(f"{name} must be a whole number {bounds}; it is not templated.")
    return int(value)


def _all_texts(values: Collection[Any]) -> bool:
    return all(isinstance(each, str) for each in values)
