"""Decode JSON at the speed of msgspec, with the results of the standard library.

msgspec reads less than the standard library does: no NaN, no half of a surrogate pair, no UTF-16, no number
beyond 64 bits with a fraction. What both read, they read alike. So msgspec comes first, and what it refuses
is left to the standard library, which has the last word on what is JSON.
"""

from __future__ import annotations

import json
import re
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

_ANY = msgspec.json.Decoder()
#: Errors of a decoder of msgspec's.
REFUSED = (msgspec.MsgspecError, ValueError, RecursionError)
#: The standard library refuses an integer of more digits.
_MOST_DIGITS = 4300
#: One byte of that many is looked at, to find a number that may be so long.
_STEP = _MOST_DIGITS // 10
_DIGITS = (re.compile(rb"[0-9]{10}"), re.compile("[0-9]{10}"))


def decode(content: bytes | str) -> Any:
    """Return what a JSON document holds, as ``json.loads`` does.

    :param content: The document: text, or bytes in UTF-8, UTF-16 or UTF-32.
    :raises ValueError: It is not JSON.
    :raises RecursionError: It is nested too deeply.
    """
    try:
        return _ANY.decode(content)
    except REFUSED:
        pass  # a decoder's error holds the document: it must not stay chained to the next one
    return json.loads(content)


def decode_as(decoder: msgspec.json.Decoder[T], content: bytes | str) -> T | Any:
    """Return a JSON document as objects of a type, or else as :func:`decode` returns it.

    :param decoder: Decoder of the type.
    :param content: The document: text, or bytes in UTF-8, UTF-16 or UTF-32.
    :raises ValueError: It is not JSON.
    :raises RecursionError: It is nested too deeply.
    """
    if may_skip(content):
        try:
            return decoder.decode(content)
        except REFUSED:
            pass  # of another type, or no JSON
    return decode(content)


def may_skip(content: bytes | str) -> bool:
    """Return whether a decoder of msgspec's may pass over parts of a document.

    In what its type does not name, msgspec looks neither at UTF-8 nor at the length of numbers.
    """
    if isinstance(content, str):
        return len(content) <= _MOST_DIGITS or not _DIGITS[1].search(content[::_STEP])
    if not content.isascii():
        try:
            content.decode()
        except UnicodeDecodeError:
            return False
    return len(content) <= _MOST_DIGITS or not _DIGITS[0].search(content[::_STEP])
