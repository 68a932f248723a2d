"""Enabling and disabling an instance: read back, and nothing sent where it is so already."""

from __future__ import annotations

import pytest

from airflow_provider_cloudelements.compat import AirflowFailException
from airflow_provider_cloudelements.exceptions import (
    CloudElementsAuthError,
    CloudElementsServerError,
    CloudElementsValidationError,
)
from airflow_provider_cloudelements.operators.changes import (
    CloudElementsDisableInstanceOperator,
    CloudElementsEnableInstanceOperator,
)
from tests.support.context import FakeTi, context_of
from tests.support.platform import Wire

SWITCHES = {
    "enabled": (CloudElementsEnableInstanceOperator, "PUT /instances/N/enabled"),
    "disabled": (CloudElementsDisableInstanceOperator, "DELETE /instances/N/enabled"),
}


def switch(word, **arguments):
    return SWITCHES[word][0](task_id="switch", **arguments).execute(context_of())


@pytest.fixture
def other(sandbox, person):
    """Give a function that makes an instance in the state opposite to a word."""

    def make(word):
        instance_id = person.make("basic")
        if word == "enabled":
            person.disable(instance_id)
        return instance_id

    return make


@pytest.mark.parametrize("word", SWITCHES)
@pytest.mark.parametrize(
    "form", [lambda i: i, str, lambda i: {"id": i}], ids=["integer", "digits", "what create returned"]
)
def test_it_is_switched_once_and_read_back(form, word, sandbox, other):
    instance_id = other(word)
    bystander = other(word)
    wire = Wire(sandbox)
    first = switch(word, instance_id=form(instance_id))
    assert (first["id"], first["disabled"], first["changed"]) == (instance_id, word == "disabled", [word])
    assert wire.calls() == ["GET /instances/N", SWITCHES[word][1], "GET /instances/N"]
    wire = Wire(sandbox)
    assert switch(word, instance_id=form(instance_id)) == {**first, "changed": []}
    assert wire.calls() == ["GET /instances/N"]
    states = {each["id"]: each["disabled"] for each in sandbox.instances()}
    assert states[bystander] is (word == "enabled")


@pytest.mark.parametrize("word", SWITCHES)
def test_by_its_key_it_is_the_oldest_with_the_marker(word, sandbox, person):
    from airflow_provider_cloudelements.client.tags import marker_tag

    tags = [marker_tag("a key")]
    oldest, younger = person.make("basic", tags=tags), person.make("basic", tags=tags)
    for instance_id in (oldest, younger):
        if word == "enabled":
            person.disable(instance_id)
    assert switch(word, instance_key="a key")["id"] == oldest
    states = {each["id"]: each["disabled"] for each in sandbox.instances()}
    assert states == {oldest: word == "disabled", younger: word == "enabled"}


@pytest.mark.parametrize("word", SWITCHES)
@pytest.mark.parametrize("named", [{}, {"instance_id": 1, "instance_key": "k"}])
def test_named_in_no_way_or_in_two_it_fails_for_good(named, word, sandbox):
    with pytest.raises(AirflowFailException, match="Exactly one of instance_id and instance_key") as caught:
        switch(word, **named)
    assert isinstance(caught.value.__cause__, CloudElementsValidationError)
    assert sandbox.requests() == []


@pytest.mark.parametrize("word", SWITCHES)
def test_a_lost_answer_is_no_failure(word, sandbox, other):
    instance_id = other(word)
    sandbox.add_fault("drop", when="after", path="/instances/*/enabled")
    assert switch(word, instance_id=instance_id)["disabled"] is (word == "disabled")


@pytest.mark.parametrize("word", SWITCHES)
def test_an_answer_without_effect_is_told_and_left_to_the_retries(word, sandbox, other):
    instance_id = other(word)
    sandbox.add_fault("status", status=200, body="empty", path="/instances/*/enabled")
    with pytest.raises(CloudElementsServerError, match=f"was to be {word}, but reading back") as caught:
        switch(word, instance_id=instance_id)
    assert caught.value.retryable


@pytest.mark.parametrize("word", SWITCHES)
def test_the_platforms_401_fails_for_good(word, sandbox, other):
    instance_id = other(word)
    sandbox.add_fault("status", status=401, path="/instances/*/enabled")
    with pytest.raises(AirflowFailException) as caught:
        switch(word, instance_id=instance_id)
    assert isinstance(caught.value.__cause__, CloudElementsAuthError)


@pytest.mark.parametrize("word", SWITCHES)
def test_one_that_is_not_valid_is_warned_of_when_it_is_enabled(word, sandbox, other, task_log):
    instance_id = other(word)
    sandbox.set_instance(instance_id, valid=False)
    switch(word, instance_id=instance_id)
    assert ("Re-authenticate it." in task_log.text) is (word == "enabled")


def test_calls_through_it_are_refused_between_the_two(sandbox, person):
    instance_id = person.make("basic")
    token = person.show(instance_id)["token"]

    def answer():
        headers = {"Authorization": f"{person.session.headers['Authorization']}, Element {token}"}
        url = f"{sandbox.url}/elements/api-v2/ping"
        return person.session.get(url, headers=headers, timeout=20).status_code

    assert answer() == 200
    switch("disabled", instance_id=instance_id)
    assert answer() == 403
    switch("enabled", instance_id=instance_id)
    assert answer() == 200
    assert person.show(instance_id)["token"] == token


def test_it_pushes_nothing_of_its_own_to_xcom(sandbox, other):
    ti = FakeTi()
    enable = CloudElementsEnableInstanceOperator(task_id="switch", instance_id=other("enabled"))
    enable.execute(context_of(ti))
    assert ti.xcoms == {}
