"""Make values plain, so that Airflow can carry them in XComs, trigger events and asset events.

Airflow's processes exchange everything in MessagePack and UTF-8, and PostgreSQL keeps XComs as JSONB. Some
valid JSON does not pass there: half a surrogate pair (of a text that was cut within an emoji), an integer of
more than 64 bits, NUL, and a number such as 1e400, which becomes infinity when it is read. In a trigger's
event, one of the first two ends the whole triggerer, and the next triggerer as well (tried with Airflow
3.3.2). So the provider makes a vendor's values plain before it passes them on.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

#: Most levels of nested lists and objects. Airflow's own bounds are higher, and there are many.
MOST_LEVELS = 64

_UNFIT = re.compile("[\ud800-\udfff\x00]")
_LEAST_INTEGER, _MOST_INTEGER = -(2**63), 2**63 - 1


def plain_text(text: str) -> str:
    """Return a text with U+FFFD, the replacement character, for each character that Airflow cannot carry."""
    if text.isascii() and "\x00" not in text:
        return text
    return _UNFIT.sub("\ufffd", text)


def plain_json(value: Any, levels: int = MOST_LEVELS) -> Any:
    """Return parsed JSON with its texts made plain.

    :param value: The parsed JSON.
    :param levels: Most levels of nested lists and objects.
    :raises ValueError: The value is too deep, or holds an integer of more than 64 bits.
    """
    if isinstance(value, str):
        return plain_text(value)
    if isinstance(value, int) and not _LEAST_INTEGER <= value <= _MOST_INTEGER:
        raise ValueError("an integer has more than 64 bits")
    if not isinstance(value, Mapping | list):
        return value
    if not levels:
        raise ValueError("it is too deep")
    if isinstance(value, list):
        return [plain_json(each, levels - 1) for each in value]
    return {plain_text(name): plain_json(each, levels - 1) for name, each in value.items()}


def fitted(value: Any, text: Callable[[str], str] = plain_text, levels: int = MOST_LEVELS) -> Any:
    """Return a value in a form that fits. :func:`plain_json` refuses what this writes as a text.

    Texts become plain, a number that is none becomes ``None``, and an integer of more than 64 bits a text of
    its digits. What lies too deep becomes a text of its JSON. What JSON does not have stays as it is.

    :param value: The value.
    :param text: Makes a text plain. Default: as Airflow needs it.
    :param levels: Most levels of nested lists and dictionaries.
    """
    if isinstance(value, str):
        return text(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, int):
        return value if _LEAST_INTEGER <= value <= _MOST_INTEGER else str(value)
    if not isinstance(value, Mapping) and type(value) not in (list, tuple, set, frozenset):
        return value
    if not levels:
        return text(json.dumps(value, ensure_ascii=False, default=str))
    if not isinstance(value, Mapping):
        return type(value)(fitted(each, text, levels - 1) for each in value)
    return {
        text(name) if isinstance(name, str) else name: fitted(each, text, levels - 1)
        for name, each in value.items()
    }
