"""Parse incoming JSON; refuse texts that only Python accepts, and values that cannot be written again."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

#: The most levels that a value may nest. Deeper ones would exhaust the writer's stack (choice C43).
MOST_DEPTH = 100


def parse(text: str) -> Any:
    """Return the value of a JSON text.

    :param text: the text.
    :raises ValueError: if it is not JSON, or cannot be written as JSON again (NaN, 1e999).
    """
    return json.loads(text, parse_constant=_no_constant, parse_float=_finite)


def parse_body(body: bytes) -> tuple[Any, str]:
    """Return the value of a request's body, and its text.

    :param body: UTF-8.
    :raises ValueError: if it is not JSON, or nests too deep.
    """
    try:
        text = body.decode("utf-8")
        value = parse(text)
    except RecursionError:
        raise ValueError("too deep") from None
    level: list[Any] = [[value]]
    for _ in range(MOST_DEPTH):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, (dict, list))
        ]
        if not level:
            return value, text
    raise ValueError("too deep")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number
