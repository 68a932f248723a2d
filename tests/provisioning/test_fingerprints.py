"""Fingerprints: they tell what changed, and show nothing."""

from __future__ import annotations

import hashlib
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
    assert tag == "airflow-auth:bfb023b6.8132b71b96d81a57a59057.9e7c30806e05b81c735d13"


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


def test_a_fingerprint_of_another_marker_is_unknown_and_never_changed():
    # Copied by hand from one instance to another, it must not pass for that one's.
    tag = prints(key="one").tag({"password": "x"})
    assert prints(key="other").compare([tag], "password", "x") is Known.UNKNOWN
    assert prints(key="other").compare([tag], "password", "y", 7) is Known.UNKNOWN


def test_a_fingerprint_is_read_by_every_marker_that_the_instance_has():
    tag = prints(key="one").tag({"password": "x"})
    tags = [tag, marker_tag("one"), marker_tag("other")]
    assert prints(key="other").compare(tags, "password", "x") is Known.SAME
    assert prints(key="other").compare(tags, "password", "y") is Known.CHANGED
    # Who adds to it keeps to its marker, so that both go on reading it.
    both = prints(key="other").tag({"oauth.api.secret": "s"}, tags)
    for key in ("one", "other"):
        assert prints(key=key).compare([both, *tags[1:]], "password", "x") is Known.SAME
        assert prints(key=key).compare([both, *tags[1:]], "oauth.api.secret", "s") is Known.SAME


def test_a_fingerprint_made_before_the_marker_came_is_read_by_the_instances_id():
    before = Fingerprints(SETTINGS, "instance 7").tag({"providerData": "a-code"})
    tags = [before, marker_tag("a key")]
    assert prints().compare(tags, "providerData", "a-code", 7) is Known.SAME
    assert prints().compare(tags, "providerData", "another", 7) is Known.CHANGED
    assert prints().compare(tags, "providerData", "a-code", 8) is Known.UNKNOWN
    former = Fingerprints(SETTINGS, marker_tag("new"), [marker_tag("a key")])
    assert former.compare([prints().tag({"password": "x"})], "password", "x") is Known.SAME


def test_a_fingerprint_of_the_first_form_shows_the_same_value_and_never_a_changed_one():
    tags = ["airflow-auth:e3f8cb.05451a57a59057.5e88b81c735d13", marker_tag("a key")]
    assert own_tags(tags) == tuple(tags)
    assert prints().compare(tags, "password", "a") is Known.SAME
    assert prints().compare(tags, "providerData", {"code": "b"}) is Known.SAME
    for name, value in (("password", "b"), ("oauth.api.secret", "a"), ("\ud800", "a")):
        assert prints().compare(tags, name, value) is Known.UNKNOWN
    assert prints(key="other").compare(tags[:1], "password", "a") is Known.UNKNOWN


def test_names_in_a_fingerprint_do_not_collide():
    # Names whose hashes had the same four digits, as the first form kept of them.
    seen = {}
    for number in range(2000):
        name = f"element.key.{number}"
        other = seen.setdefault(hashlib.sha256(name.encode()).hexdigest()[:4], name)
        if other != name:
            break
    tag = prints().tag({name: "x", other: "y"})
    assert [prints().compare([tag], each, value) for each, value in ((name, "x"), (other, "y"))] == [
        Known.SAME,
        Known.SAME,
    ]


def test_a_codes_fingerprint_is_the_same_for_every_marker():
    assert prints().code("c-1") == prints(key="other").code("c-1") != prints().code("c-2")
    assert "c-1" not in prints().code("c-1")


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
    assert re.fullmatch(r"[0-9a-f]{8}\.[0-9a-f]{22}", body)
    # The same value elsewhere shows as another.
    assert prints(key="other").tag({"password": value}) != tag


def test_prepared_credentials_are_shown_by_the_tag_of_exactly_these():
    marker = marker_tag("a key")
    credentials = {"password": "x/+=\u00e9", "api.token": "t", "n": 7, "nested": {"b": 1, "a": [None]}}
    base = Fingerprints(SETTINGS, "")
    tag = base.bound_to(marker).tag(credentials)
    assert base.shown_by(["gold", tag], marker, base.prepared(credentials))
    others = [{**credentials, "n": 8}, {**credentials, "more": "x"}, {"n": 7}]
    assert not [each for each in others if base.shown_by([tag], marker, base.prepared(each))]
    assert not base.shown_by([tag], marker_tag("another key"), base.prepared(credentials))
    assert not base.shown_by(["gold", f"{tag}.x", f"x{tag}", tag[:-1]], marker, base.prepared(credentials))
    other = ConnectionSettings("https://api.example.com", "another", "organization-secret")
    strange = Fingerprints(other, "")
    assert not strange.shown_by([tag], marker, strange.prepared(credentials))
