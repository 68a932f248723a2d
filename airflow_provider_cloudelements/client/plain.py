"""What Airflow can carry: in XComs, trigger events and asset events.

Its processes tell each other everything in MessagePack and UTF-8, and PostgreSQL keeps XComs as JSONB. Not
all that is JSON passes there: half a surrogate pair (of a text that was cut within an emoji), an integer of
more than 64 bits, NUL. In a trigger's event one of the first two ends the whole triggerer, and the next one
as well (tried with Airflow 3.3.2), so what a vendor wrote is made plain before it is told.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

#: Levels of lists and objects within each other. Airflow's own bounds lie higher, and are many.
MOST_LEVELS = 64

_UNFIT = re.compile("[\ud800-\udfff\x00]")
_LEAST_INTEGER, _MOST_INTEGER = -(2**63), 2**63 - 1


def plain_text(text: str) -> str:
    """Return a text with U+FFFD, the replacement character, for each character that cannot be carried."""
    if text.isascii() and "\x00" not in text:
        return text
    return _UNFIT.sub("\ufffd", text)


def plain_json(value: Any, levels: int = MOST_LEVELS) -> Any:
    """Return what was read from JSON, with texts made plain.

    :param value: What was read.
    :param levels: How many may lie within each other.
    :raises ValueError: It is too deep, or holds an integer of more than 64 bits.
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
