"""JSON by msgspec: what it takes, it takes as the standard library does, which has the last word."""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_cloudelements.client.wire.decoding import decode, decode_as

NUMBERS = st.from_regex(r"-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,3})?", fullmatch=True)
TEXTS = st.text(st.characters() | st.sampled_from('\\"/bfnrtuD8x0\ud83d\n'), max_size=12)
VALUES = st.recursive(
    NUMBERS
    | TEXTS.map(json.dumps)
    | TEXTS.map(lambda text: f'"{text}"')
    | st.sampled_from(["NaN", "-Infinity", ""]),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda each: f"[{','.join(each)}]")
        | st.lists(st.tuples(TEXTS.map(json.dumps), inner), max_size=3).map(
            lambda each: "{" + ",".join(f"{name}:{value}" for name, value in each) + "}"
        )
    ),
    max_leaves=8,
)


def by(read: Any, content: bytes | str) -> str:
    try:
        return repr(read(content))
    except (ValueError, RecursionError):
        return "no JSON"


@given(text=VALUES)
def test_every_document_is_what_the_standard_library_says(text: str) -> None:
    assert by(decode, text) == by(json.loads, text)
    content = text.encode("utf-8", "surrogatepass")
    assert by(decode, content) == by(json.loads, content)


class Named(msgspec.Struct):
    """What a decoder reads of a document."""

    name: str


NAMED: msgspec.json.Decoder[Named] = msgspec.json.Decoder(Named)


@given(text=VALUES)
def test_nothing_is_taken_that_the_standard_library_refuses(text: str) -> None:
    document = f'{{"name":"a","other":{text}}}'
    for content in (document, document.encode("utf-8", "surrogatepass")):
        found = by(lambda each: decode_as(NAMED, each), content)
        assert (found == "no JSON") == (by(json.loads, content) == "no JSON")


@pytest.mark.parametrize("digits", [4300, 4301, 9000])
@pytest.mark.parametrize("before", range(0, 430, 61))
def test_a_number_too_long_for_the_standard_library_is_found_where_nobody_reads_it(
    digits: int, before: int
) -> None:
    document = f'{{"name":"a","text":"{"x" * before}","other":{"1" * digits}}}'
    for content in (document, document.encode()):
        found = by(lambda each: decode_as(NAMED, each), content)
        assert (found == "no JSON") == (digits > 4300)


def test_what_has_another_type_is_plain_json() -> None:
    assert decode_as(NAMED, b'{"name":"a"}') == Named("a")
    assert decode_as(NAMED, b'{"name":1}') == {"name": 1}
    assert math.isnan(decode_as(NAMED, b"NaN"))


def test_no_error_shows_the_document() -> None:
    with pytest.raises(json.JSONDecodeError) as caught:
        decode('{"a":"secret')
    assert caught.value.__context__ is None
