"""Make values plain, so that Airflow can carry them in XComs, trigger events and asset events.

Airflow's processes exchange everything in MessagePack and UTF-8, and PostgreSQL keeps XComs as JSONB. Some
valid JSON does not pass there: half a surrogate pair (of a text that was cut within an emoji), an integer of
more than 64 bits, NUL. In a trigger's event, one of the first two ends the whole triggerer, and the next
triggerer as well (tried with Airflow 3.3.2). So the provider makes a vendor's values plain before it passes
them on.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
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
