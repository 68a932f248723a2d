"""Identities and their tags: canonical, stable, distinct, unreadable."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_cloudelements.client.tags import (
    Identity,
    belongs,
    canonical_text,
    marker_tag,
    named_text,
    origin_tag,
    own_tags,
    user_tags,
)
from airflow_provider_cloudelements.connections import ConnectionSettings
from airflow_provider_cloudelements.exceptions import CloudElementsValidationError


def test_a_marker_never_changes_from_release_to_release():
    assert marker_tag("microsoftgraph/My calendar") == "airflow:837a22ae183d438cbf43"
    assert origin_tag("dag/task/run/-1") == "airflow-run:2d10ed8fc861e1bb0623"
    assert Identity("", "microsoftgraph/My calendar").tags == (
        "airflow:837a22ae183d438cbf43",
        "airflow-key:837a22aeec895ec9a314",
    )
    assert Identity("team", "a").tags == (marker_tag("team/a"), "airflow-key:65f838a2ecb5d77c9aac")


@given(st.text(), st.text())
def test_markers_are_plain_short_and_differ_with_the_key(one, other):
    assert re.fullmatch("airflow:[0-9a-f]{20}", marker_tag(one))
    assert (marker_tag(one) == marker_tag(other)) == (one == other)


def test_a_key_of_any_characters_has_a_marker():
    assert marker_tag("\ud800 <b>") != marker_tag("\ud801 <b>")
    assert origin_tag("\ud800").startswith("airflow-run:")


# -- identities -----------------------------------------------------------------------------------

#: Texts that differ by what must not count, that hold what joins texts, or that are made of it.
PIECES = st.sampled_from(
    ["a", "b", "/", "//", ":", "1:", "2:", "\n", " ", "é", "e\u0301", "\\", '"', "\x00", "\ufeff"]
)
TEXTS = st.lists(PIECES, max_size=5).map("".join) | st.text(max_size=5)
#: What is as invisible at the ends of a text as white space.
INVISIBLE = "".join(
    map(chr, (0xAD, 0x61C, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x206A), 0xFEFF))
)
KEYS = TEXTS.filter(lambda text: text.strip().strip(INVISIBLE).strip() not in ("", "None"))


def plain(text):
    while text != (shorter := text.strip().strip(INVISIBLE)):
        text = shorter
    return unicodedata.normalize("NFC", text)


@given(TEXTS, KEYS, TEXTS, KEYS)
def test_two_pairs_are_one_only_if_both_parts_are_canonically_equal(space, key, other_space, other_key):
    one, other = Identity(space, key), Identity(other_space, other_key)
    equal = (plain(space), plain(key)) == (plain(other_space), plain(other_key))
    assert (one.key_tag == other.key_tag) == equal
    assert belongs(one.tags, (other.marker, *other.former_markers), other.key_tag) == equal


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("team", "a/b"), ("team/a", "b")),
        (("", "team/a"), ("team", "a")),
        (("", "/a"), ("/", "a")),
        (("a", "//b"), ("a/", "/b")),
        (("1", "1:a"), ("11", ":a")),
        (("", "1"), ("1", "")),
    ],
)
def test_slashes_make_no_two_pairs_one(one, other):
    assert Identity(*one).key_tag != Identity(*other).key_tag


@pytest.mark.parametrize("written", ["Café", " Café", "Café\n", "\tCafe\u0301\u00a0", "\u2003Café\x1f"])
def test_ends_and_unicode_forms_do_not_count(written):
    identity = Identity(f"{written} ", written)
    assert (identity.namespace, identity.key) == ("Café", "Café")
    assert identity.tags == Identity("Café", "Café").tags


def test_an_identity_takes_the_namespace_of_the_connection():
    settings = ConnectionSettings("https://a.example", namespace="team ")
    assert Identity.of(settings, " a").tags == Identity("team", "a").tags
    assert Identity.of(ConnectionSettings("https://a.example"), "a").tags == Identity("", "a").tags


NO_NAMES = [
    None,
    "",
    " ",
    "\n\t",
    "\u2003",
    "None",
    " None\n",
    5,
    1.10,
    True,
    b"a",
    ["a"],
    {"id": 5},
    ...,
]


@pytest.mark.parametrize("key", NO_NAMES, ids=repr)
def test_what_names_nothing_is_refused_by_the_arguments_name_and_never_shown(key):
    with pytest.raises(CloudElementsValidationError, match=r"^instance_key must be a text") as caught:
        Identity.of(ConnectionSettings("https://a.example"), key)
    assert not caught.value.retryable
    with pytest.raises(CloudElementsValidationError, match=r"^another_name must be a text"):
        named_text("another_name", key)


@pytest.mark.parametrize(
    "text", ["1.10", "0123", "2024", "1_000", "none", "NONE", "nan", "True", " a ", "[]"]
)
def test_a_text_stays_as_it_is_letter_by_letter(text):
    assert named_text("tag", text) == text


def test_the_error_shows_no_value():
    with pytest.raises(CloudElementsValidationError) as caught:
        named_text("tag", ["a-secret"])
    assert "a-secret" not in str(caught.value)


# -- tags of earlier versions ----------------------------------------------------------------------


def test_a_marker_alone_decides_until_there_is_a_key_tag():
    pair, sharing = Identity("team", "a"), Identity("", "team/a")
    for tags in ([pair.marker], ["gold", pair.marker, origin_tag("o")], [pair.marker, "airflow-key:people"]):
        assert belongs(tags, (pair.marker,), pair.key_tag)
        assert belongs(tags, (sharing.marker,), sharing.key_tag)
    assert belongs(pair.tags, (pair.marker,), pair.key_tag)
    assert not belongs(pair.tags, (sharing.marker,), sharing.key_tag)
    assert not belongs(["gold"], (pair.marker,), pair.key_tag)


def test_a_renamed_key_finds_its_instance_whatever_the_old_key_has_written():
    old, new = Identity("", "a"), Identity("", "b")
    assert belongs([*old.tags, new.marker], (new.marker,), new.key_tag)
    assert belongs([*old.tags, new.marker], (old.marker,), old.key_tag)
    assert belongs([*old.tags, *new.tags], (old.marker,), old.key_tag)
    assert not belongs(old.tags, (new.marker,), new.key_tag)


def test_a_key_taken_letter_by_letter_before_is_still_found_and_gets_the_canonical_tags():
    written = Identity("prod ", "acme\n")
    assert written.former_markers == (marker_tag("prod /acme\n"),)
    assert Identity("prod", "acme").former_markers == ()
    before = ["gold", *written.former_markers]
    assert written.marked(before) == ("gold", *Identity("prod", "acme").tags)
    assert written.marked(written.marked(before)) == written.marked(before)


@pytest.mark.parametrize("key", ["\ufeffacme\n", "acme\u200b ", "\u200ee\u0301"])
def test_an_instance_of_a_key_with_invisible_ends_is_still_found(key):
    """Before they counted as white space, its tags were of the key with them."""
    before = marker_tag(unicodedata.normalize("NFC", key.strip()))
    assert before in Identity("", key).former_markers
    assert belongs(["gold", before], (Identity("", key).marker, *Identity("", key).former_markers), None)


def test_a_long_run_of_invisible_characters_costs_no_more_than_others():
    text = "é" + "\u200b" * 200_000 + "x"
    assert canonical_text(text) == text  # in milliseconds; by the square of the run it would take minutes


# -- tags of people --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "tag",
    [
        "airflow",
        "airflow:",
        "airflow:production",
        "airflow-run:nightly",
        "airflow-auth:oauth",
        "airflow-key:",
        "airflow-key:" + "a" * 21,
        "airflow:" + "a" * 19,
        "airflow:" + "a" * 21,
        "airflow:" + "G" * 20,
        " airflow:" + "a" * 20,
        "airflow:" + "a" * 20 + "\n",
    ],
)
def test_a_persons_tag_that_only_looks_like_ours_is_a_persons(tag):
    assert user_tags([tag]) == (tag,)
    assert own_tags([tag]) == ()


@pytest.mark.parametrize(
    "value",
    ["\u200b", "\ufeff \u2060", "\x00", "\ud800", "\x07\n", "\u034f", "\u3164 \u200b", "\u2800", "\ufe0f"],
)
def test_a_text_without_a_visible_character_names_nothing(value):
    with pytest.raises(CloudElementsValidationError, match="instance_key has no visible character"):
        named_text("instance_key", value)


@pytest.mark.parametrize(
    "value", ["-", "\u200bk", "日本", "👩\u200d👧", "é", "e\u0301", "\u3164k", "❤\ufe0f"]
)
def test_any_visible_character_names_something(value):
    assert named_text("instance_key", value) == value
