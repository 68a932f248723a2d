"""Markers and fingerprints: stable, distinct, unreadable."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_cloudelements.client.tags import full_key, marker_tag, origin_tag, own_tags, user_tags
from airflow_provider_cloudelements.connections import ConnectionSettings


def test_a_marker_never_changes_from_release_to_release():
    assert marker_tag("microsoftgraph/My calendar") == "airflow:837a22ae183d438cbf43"
    assert origin_tag("dag/task/run/-1") == "airflow-run:2d10ed8fc861e1bb0623"


@given(st.text(), st.text())
def test_markers_are_plain_short_and_differ_with_the_key(one, other):
    assert re.fullmatch("airflow:[0-9a-f]{20}", marker_tag(one))
    assert (marker_tag(one) == marker_tag(other)) == (one == other)


def test_a_key_of_any_characters_has_a_marker():
    assert marker_tag("\ud800 <b>") != marker_tag("\ud801 <b>")
    assert origin_tag("\ud800").startswith("airflow-run:")


@pytest.mark.parametrize(("namespace", "key"), [("", "a"), ("team", "team/a")])
def test_the_namespace_goes_before_the_key(namespace, key):
    assert full_key(ConnectionSettings("https://a.example", namespace=namespace), "a") == key


@pytest.mark.parametrize(
    "tag",
    [
        "airflow",
        "airflow:",
        "airflow:production",
        "airflow-run:nightly",
        "airflow-auth:oauth",
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
