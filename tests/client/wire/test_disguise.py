"""A value is found in a text, however the text encodes it, and only its own part of the text is hidden."""

from __future__ import annotations

import base64
import html
import itertools
import json
import re
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_cloudelements.client.wire.disguise import places
from airflow_provider_cloudelements.client.wire.secrecy import redact

SECRET = "Pass/word+<&>'\"ä~01="
PLAIN = "correct-horse-battery"


def in_base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def in_json(text: str) -> str:
    return json.dumps(text)[1:-1]


def by_gson(text: str) -> str:
    """Java's Gson escapes what HTML would mean something by."""
    return re.sub("[<>&=']", lambda found: f"\\u{ord(found[0]):04x}", json.dumps(text)[1:-1])


ENCODINGS: dict[str, Callable[[str], str]] = {
    "percent": lambda text: quote(text, safe=""),
    "percent, small letters": lambda text: re.sub("%..", lambda x: x[0].lower(), quote(text, safe="/")),
    "each byte in percent": lambda text: "".join(f"%{each:02X}" for each in text.encode()),
    "form": quote_plus,
    "JSON": in_json,
    "JSON with slashes": lambda text: in_json(text).replace("/", "\\/"),
    "JSON, each letter": lambda text: "".join(f"\\u{ord(each):04x}" for each in text),
    "JSON by Gson": by_gson,
    "HTML": html.escape,
    "HTML by numbers": lambda text: "".join(f"&#x{ord(each):x};" for each in text),
    "base64": in_base64,
    "base64 without its end": lambda text: in_base64(text).rstrip("="),
    "base64 for URLs": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "hexadecimal": lambda text: text.encode().hex(),
    "repr": lambda text: repr(text.encode())[2:-1],
}


@pytest.mark.parametrize("before", ["", "a", "ab", "abc"], ids="{} before".format)
@pytest.mark.parametrize("after", ["", "z", "yz"], ids="{} after".format)
@pytest.mark.parametrize("name", [name for name in ENCODINGS if "base64" in name])
def test_base64_at_each_alignment(name: str, before: str, after: str) -> None:
    encoded = ENCODINGS[name](f"{before}{SECRET}{after}")
    assert redact(f"Authorization: Basic {encoded} refused", [SECRET]) == "Authorization: Basic *** refused"


@pytest.mark.parametrize("user", ["a", "ada", "ada@example.com", "ünï"])
@pytest.mark.parametrize("password", ["pw", "p:w", "hunter2", SECRET])
def test_user_and_password_of_a_basic_header(user: str, password: str) -> None:
    header = in_base64(f"{user}:{password}")
    assert redact(f"sent 'Basic {header}'", [password]) == "sent 'Basic ***'"
    # RFC 6749, section 2.3.1: a client's id and secret are encoded as in a form first.
    header = in_base64(f"{quote_plus(user)}:{quote_plus(password)}")
    assert redact(f"sent 'Basic {header}'", [password]) == "sent 'Basic ***'"


@pytest.mark.parametrize("inner", ENCODINGS)
@pytest.mark.parametrize("outer", [None, *ENCODINGS])
def test_one_encoding_in_another(inner: str, outer: str | None) -> None:
    encoded = ENCODINGS[inner](SECRET)
    for text in (encoded, ENCODINGS[outer](encoded)) if outer else (encoded,):
        assert redact(f"It got '{text}' and refused it", [SECRET]) == "It got '***' and refused it"


def test_three_encodings_in_each_other() -> None:
    text = SECRET
    for _ in range(3):
        text = quote(text, safe="")
    assert redact(f"x {text} y", [SECRET]) == "x *** y"
    text = in_json(in_json(in_json(SECRET)))
    assert redact(f"x {text} y", [SECRET]) == "x *** y"


@pytest.mark.parametrize("name", ENCODINGS)
def test_a_secret_that_looks_encoded_itself(name: str) -> None:
    secret = 'a%41\\u0041&amp;QUJD"'
    assert redact(f"x {ENCODINGS[name](secret)} y", [secret]) == "x *** y"


def test_base64_inside_a_longer_run_of_its_letters() -> None:
    assert redact(f"GET /cb/x/{in_base64(SECRET)}", [SECRET]) == "GET ***"


@pytest.mark.parametrize(
    "text",
    [
        "The quick brown fox: instance 410001, request id 5f3c0a1b2c3d4e5f60718293.",
        "GET /elements/api-v2/instances/410001?page=2%20x answered 404 &amp; so on \\u0041",
        in_base64("user:another password"),
        "deadbeef 00 %zz \\u12 &; % \\",
        "",
    ],
)
def test_a_text_without_the_secret_stays_as_it_is(text: str) -> None:
    assert redact(text, [SECRET, PLAIN, "x1"]) == text


def test_only_the_encoded_part_is_hidden() -> None:
    text = f'{{"a%20b": "{quote(PLAIN + "/")}", "c": "&lt;"}}'
    assert redact(text, [f"{PLAIN}/"]) == '{"a%20b": "***", "c": "&lt;"}'


def test_a_long_text_is_cut_behind_its_secrets() -> None:
    secret = "0123456789abcdef" * 40
    for begin in (0, 90, 99):
        text = " " * begin + "".join(f"%{each:02x}" for each in secret.encode()) + " tail" * 100
        assert redact(text, [secret], 100) == " " * begin + "***"
    assert redact("x" * 199 + " " + secret, [secret], 100) == "x" * 100


def test_a_megabyte_is_read_as_far_as_it_is_needed() -> None:
    text = ("a%41&amp;\\u0041 QUJDREVGR0hJSktM " * 40_000)[: 2**20]
    seen = list(places(text[:100], [PLAIN]))
    assert not seen
    assert redact(text, [f"{PLAIN}{number}" for number in range(100)], 600) == text[:600]


PRINTABLE = st.characters(max_codepoint=0xFFFF, exclude_categories=["C", "Z"])
PAIRS = [*itertools.product(ENCODINGS.values(), ENCODINGS.values())]


@settings(max_examples=60)
@given(st.text(PRINTABLE, min_size=4, max_size=16), st.text(PRINTABLE, max_size=6), st.sampled_from(PAIRS))
def test_any_secret_in_any_two_encodings(
    secret: str, before: str, ways: tuple[Callable[[str], str], Callable[[str], str]]
) -> None:
    inner, outer = ways
    once = inner(before + secret)
    assert "***" in redact(f"x {once} y", [secret])
    assert "***" in redact(f"x {outer(once)} y", [secret])
