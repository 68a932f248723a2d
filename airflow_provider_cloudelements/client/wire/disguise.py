"""Find a value in a text in whatever way the text writes it.

A vendor's own answer arrives inside a message of the platform. It may repeat a secret as a URL, JSON, HTML,
base64 or hexadecimal digits write it, and one of them inside another: a header ``Basic`` with user and
password, a percent-encoded query in a log line that is itself percent-encoded. So this module does not write
the value in many ways. It reads the text in many ways.
"""

from __future__ import annotations

import base64
import binascii
import html
import json
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

#: How many encodings may lie inside each other.
_DEEPEST = 3
#: Shortest value that is found in bytes that are no text: a shorter one is there by chance.
_SHORTEST = 4

_PERCENT = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_ESCAPE = re.compile(r"(?:\\u[0-9A-Fa-f]{4})+|(?:\\x[0-9A-Fa-f]{2})+|\\[^ux]", re.DOTALL)
_ENTITY = re.compile(r"&#?\w{1,32};")
#: Base64 in both of its alphabets, and hexadecimal digits. Base64 may lie in a longer run of its letters,
#: such as a path. So the module reads each run four times: from its first, second, third and fourth letter.
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{2,}={0,2}")
_HEXADECIMAL = re.compile(r"[0-9A-Fa-f]{2}(?:[ :]?[0-9A-Fa-f]{2})+")
_ONE_ALPHABET = str.maketrans("-_", "+/", "=")

#: What a JSON escape of one letter means; any other letter means itself.
_LETTERS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


@dataclass(frozen=True, slots=True)
class _Reading:
    """One way to read a text: some of its parts stand for something else.

    :param text: What is read.
    :param depth: How many encodings it took off.
    :param begins: Where each piece begins in ``text``. A piece is one that was decoded, or what lies between.
    :param sources: Where each piece lies in the text that was read, and whether it stands there as it is.
    :param of: The reading of that text; ``None``: it is the whole text itself.
    """

    text: str
    depth: int = 0
    begins: list[int] = field(default_factory=list)
    sources: list[tuple[int, int, bool]] = field(default_factory=list)
    of: _Reading | None = None

    def place(self, begin: int, end: int) -> tuple[int, int]:
        """Return which part of the whole text a part of this reading comes from."""
        if self.of is None:
            return begin, end
        first, last = bisect_right(self.begins, begin) - 1, bisect_left(self.begins, end) - 1
        start, _, as_it_is = self.sources[first]
        if as_it_is:
            start += begin - self.begins[first]
        source, stop, as_it_is = self.sources[last]
        if as_it_is:
            stop = source + end - self.begins[last]
        return self.of.place(start, stop)

    def decoded(self, pattern: re.Pattern[str], meaning: Callable[[str], str]) -> _Reading | None:
        """Return the text with each match of a pattern read as what it means; ``None`` if there is none."""
        pieces: list[str] = []
        begins: list[int] = []
        sources: list[tuple[int, int, bool]] = []
        length = done = 0

        def add(piece: str, begin: int, end: int, as_it_is: bool) -> None:
            nonlocal length, done
            if piece:
                pieces.append(piece)
                begins.append(length)
                sources.append((begin, end, as_it_is))
                length += len(piece)
            done = end

        for match in pattern.finditer(self.text):
            add(self.text[done : match.start()], done, match.start(), True)
            add(meaning(match[0]), match.start(), match.end(), False)
        if not done:
            return None
        add(self.text[done:], done, len(self.text), True)
        return _Reading("".join(pieces), self.depth + 1, begins, sources, self)


def places(text: str, values: Collection[str]) -> Iterator[tuple[int, int]]:
    """Yield the parts of a text that hold one of some values, as they are or encoded.

    It takes some microseconds for each character.

    :param text: The text.
    :param values: The values, none of them empty. A space in one may also be a plus sign, as in a query.
    """
    forms = {form for value in values for form in (value, value.replace(" ", "+"))}
    for reading in _readings(text):
        for form in forms:
            at = reading.text.find(form)
            while at >= 0:
                yield reading.place(at, at + len(form))
                at = reading.text.find(form, at + len(form))
        if reading.depth < _DEEPEST:
            for match in _hiding_runs(reading.text, forms, _DEEPEST - 1 - reading.depth):
                yield reading.place(match.start(), match.end())


def _readings(text: str, deepest: int = _DEEPEST) -> Iterator[_Reading]:
    """Yield a text, and each other way to read it.

    Each kind of encoding is taken off apart, because a value may look encoded in another one itself.
    """
    waiting, seen = [_Reading(text)], {text}
    while waiting:
        reading = waiting.pop(0)
        yield reading
        if reading.depth >= deepest:
            continue
        for pattern, meaning in _ENCODINGS:
            further = reading.decoded(pattern, meaning)
            if further is not None and further.text not in seen:
                seen.add(further.text)
                waiting.append(further)


def _hiding_runs(text: str, forms: Collection[str], deeper: int) -> Iterator[re.Match[str]]:
    """Yield the runs of base64 or hexadecimal digits that hold a value."""
    for pattern, octets in ((_BASE64, _from_base64), (_HEXADECIMAL, _from_hexadecimal)):
        runs = [(match, [*map(_text, octets(match[0]))]) for match in pattern.finditer(text)]
        # All at once first: nearly always there is none.
        if _hold([each for _, texts in runs for each in texts], forms, deeper):
            yield from (match for match, texts in runs if _hold(texts, forms, deeper))


def _hold(texts: Collection[str], forms: Collection[str], deeper: int) -> bool:
    """Say whether one of some decoded texts holds a value, as it is or encoded once more."""
    readable: list[str] = []
    chance: list[str] = []
    for text in texts:
        (readable if " ".join(text.split()).isprintable() else chance).append(text)
    return _is_in("\n".join(readable), forms, deeper) or _is_in(
        "\n".join(chance), [form for form in forms if len(form) >= _SHORTEST], deeper
    )


def _is_in(text: str, forms: Collection[str], deeper: int) -> bool:
    for reading in _readings(text, deeper):
        if any(form in reading.text for form in forms):
            return True
    return bool(deeper) and any(True for _ in _hiding_runs(text, forms, deeper - 1))


def _text(octets: bytes) -> str:
    try:
        return octets.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return octets.decode("utf-8", "replace")


def _from_base64(run: str) -> Iterator[bytes]:
    letters = run.translate(_ONE_ALPHABET)
    for first in range(min(4, len(letters))):
        part = letters[first:]
        part = part[:-1] if len(part) % 4 == 1 else part  # one letter alone holds no byte
        yield base64.b64decode(part + "=" * (-len(part) % 4))


def _from_hexadecimal(run: str) -> Iterator[bytes]:
    digits = re.sub("[ :]", "", run)
    for part in (digits, digits[1:-1]):
        yield binascii.unhexlify(part)


def _percent(run: str) -> str:
    return _characters(unquote_to_bytes(run))


def _escape(run: str) -> str:
    if run[1] == "u":
        return str(json.loads(f'"{run}"'))  # two halves of a pair become one character
    if run[1] == "x":
        return _characters(binascii.unhexlify(run.replace("\\x", "")))
    return _LETTERS.get(run[1], run[1])


def _characters(octets: bytes) -> str:
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return octets.decode("latin-1")


_ENCODINGS: tuple[tuple[re.Pattern[str], Callable[[str], str]], ...] = (
    (_PERCENT, _percent),
    (_ESCAPE, _escape),
    (_ENTITY, html.unescape),
)
