"""Fingerprints: they tell what changed, and show nothing."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_cloudelements.client.tags import marker_tag, origin_tag, own_tags, user_tags
from airflow_provider_cloudelements.connections import ConnectionSettings
from airflow_provider_cloudelements.provisioning.fingerprints import Fingerprints, Known

SETTINGS = ConnectionSettings("https://api.example.com", "user-secret", "organization-secret")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda each: st.dictionaries(st.text(), each)
)
CREDENTIALS = st.dictionaries(st.sampled_from(["password", "oauth.api.secret", "providerData"]), VALUES)


def prints(settings=SETTINGS, key="a key"):
    return Fingerprints(settings, marker_tag(key))


def test_a_fingerprint_never_changes_from_release_to_release():
    tag = prints().tag({"password": "a", "providerData": {"code": "b"}})
    assert tag == "airflow-auth:e3f8cb.05451a57a59057.5e88b81c735d13"


@given(st.lists(st.text()), CREDENTIALS)
def test_own_tags_and_peoples_tags_are_told_apart(people, credentials):
    ours = [marker_tag("k"), origin_tag("o"), prints().tag({"password": "x", **credentials})]
    assert list(own_tags([*people, *ours])) == ours
    assert list(user_tags([*people, *ours])) == people


@given(CREDENTIALS)
def test_what_was_given_is_known_as_the_same(credentials):
    tag = prints().tag(credentials)
    assert (tag is None) == (not credentials)
    for name, value in credentials.items():
        assert prints().compare([tag], name, value) is Known.SAME


@given(VALUES, VALUES)
def test_another_value_is_known_as_changed(one, other):
    tag = prints().tag({"password": one})
    same = prints().compare([tag], "password", other) is Known.SAME
    # 1, 1.0 and True are equal in Python and are other texts.
    assert same == (repr(one) == repr(other))


def test_the_order_of_keys_does_not_matter():
    tag = prints().tag({"providerData": {"code": "a", "realmId": "b"}})
    assert prints().compare([tag], "providerData", {"realmId": "b", "code": "a"}) is Known.SAME


def test_nothing_is_known_without_a_tag_of_this_key():
    assert prints().compare([], "password", "x") is Known.UNKNOWN
    assert prints().compare(["Docs", marker_tag("a key")], "password", "x") is Known.UNKNOWN
    assert prints().compare([prints().tag({"other.secret": "x"})], "password", "x") is Known.UNKNOWN


@pytest.mark.parametrize(
    "rotated",
    [
        ConnectionSettings("https://api.example.com", "another", "organization-secret"),
        ConnectionSettings("https://api.example.com", "user-secret", "another"),
        ConnectionSettings("https://api.example.com", authorization="Bearer x"),
    ],
)
def test_after_a_rotation_of_the_platforms_secrets_it_is_unknown_and_never_changed(rotated):
    tag = prints().tag({"password": "x"})
    assert prints(rotated).compare([tag], "password", "x") is Known.UNKNOWN
    assert prints(rotated).compare([tag], "password", "y") is Known.UNKNOWN


def test_a_fingerprint_of_another_instance_does_not_fit():
    # Copied by hand from one instance to another, it must not pass for that one's.
    tag = prints(key="one").tag({"password": "x"})
    assert prints(key="other").compare([tag], "password", "x") is not Known.SAME


def test_what_is_known_of_other_credentials_is_kept():
    before = prints().tag({"password": "x", "oauth.api.secret": "y"})
    after = prints().tag({"password": "z"}, [before, "Docs"])
    assert prints().compare([after], "oauth.api.secret", "y") is Known.SAME
    assert prints().compare([after], "password", "z") is Known.SAME
    assert prints().compare([after], "password", "x") is Known.CHANGED


@given(st.text(alphabet="0123456789abcdef.-: xyz", max_size=60))
def test_a_damaged_fingerprint_is_unknown_or_changed_and_never_breaks(rest):
    tag = prints().tag({"password": "x"})
    for damaged in (f"airflow-auth:{rest}", tag + rest, tag[: len(rest)]):
        known = prints().compare([damaged], "password", "another")
        assert known in (Known.UNKNOWN, Known.CHANGED)
        prints().tag({"password": "x"}, [damaged])


@given(st.text(min_size=4))
def test_a_fingerprint_shows_neither_value_nor_key(value):
    tag = prints().tag({"password": value})
    body = tag.removeprefix("airflow-auth:")
    assert re.fullmatch(r"[0-9a-f]{6}\.[0-9a-f]{14}", body)
    assert prints().of("password", value) in body
    # The same value elsewhere shows as another.
    assert prints(key="other").tag({"password": value}) != tag
