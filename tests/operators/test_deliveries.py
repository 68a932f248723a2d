"""Operators for what notifications become when their receiver fails: released, and the account's policy."""

from __future__ import annotations

from functools import partial

import pendulum
import pytest

from airflow_provider_cloudelements.compat import AirflowFailException
from airflow_provider_cloudelements.exceptions import CloudElementsServerError, CloudElementsValidationError
from airflow_provider_cloudelements.operators.deliveries import (
    CloudElementsReleaseDeliveriesOperator,
    CloudElementsSetNotificationPolicyOperator,
)
from tests.support.context import context_of
from tests.support.patience import wait_for
from tests.support.platform import Person, Wire, client_of
from tests.support.receiver import receiving

NOTHING = {"queued": 0, "left": 0, "newest": None}


@pytest.fixture
def receiver():
    with receiving() as running:
        yield running


def release(**arguments):
    outcome = CloudElementsReleaseDeliveriesOperator(task_id="release", **arguments).execute(context_of())
    assert abs((pendulum.parse(outcome.pop("released_at")) - pendulum.now("UTC")).total_seconds()) < 60
    return outcome


def set_policy(policy):
    operator = CloudElementsSetNotificationPolicyOperator(task_id="policy", policy=policy)
    return operator.execute(context_of())


until = partial(wait_for, seconds=10)


@pytest.fixture
def instance(sandbox, receiver):
    """An instance that delivers to the receiver."""
    events = {"event.notification.enabled": True, "event.notification.callback.url": receiver.url}
    login = {"username": "ada", "password": "first-password"}
    return Person(sandbox).make("basic", configuration={**login, **events})


def queued(sandbox):
    return sum(each["status"] == "queued" for each in sandbox.deliveries())


def test_what_was_queued_in_an_outage_arrives_once_it_is_released(sandbox, receiver, instance):
    assert set_policy("queue") == {"policy": "queue", "before": "retry", "changed": True}
    receiver.status = 503
    number = len(sandbox.emit(instance_id=instance, count=3))
    until(lambda: queued(sandbox) == number)
    assert receiver.taken == []
    receiver.status = 200
    outcome = release(callback_url=receiver.url)
    assert outcome["queued"] == number
    assert pendulum.parse(outcome["newest"]) <= pendulum.now("UTC")
    until(lambda: len(receiver.taken) == number)
    until(lambda: queued(sandbox) == 0)
    assert release(callback_url=receiver.url) == NOTHING
    assert len(set(receiver.taken)) == len(receiver.taken) == number


def test_it_is_found_by_an_instance_that_has_the_address(sandbox, receiver, instance):
    set_policy("queue")
    receiver.status = 500
    sandbox.emit(instance_id=instance)
    until(lambda: queued(sandbox) == 1)
    receiver.status = 204
    assert release(instance_id={"id": instance})["queued"] == 1
    until(lambda: len(receiver.taken) == 1)


def test_others_deliveries_stay_in_their_queue(sandbox, receiver, instance):
    set_policy("queue")
    receiver.status = 500
    sandbox.emit(instance_id=instance)
    until(lambda: queued(sandbox) == 1)
    assert release(callback_url="http://127.0.0.1:9/another") == NOTHING
    assert queued(sandbox) == 1


def test_an_instance_without_a_callback_is_said_so(sandbox):
    instance_id = Person(sandbox).make("basic")
    with pytest.raises(AirflowFailException, match="has no callback URL"):
        release(instance_id=instance_id)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({}, "Exactly one of callback_url, instance_id and instance_key"),
        ({"callback_url": "https://a.example.com", "instance_id": 1}, "Exactly one of"),
        ({"instance_key": "a/b", "instance_id": 1}, "Exactly one of"),
        ({"callback_url": "https://a.example.com/' or '1'='1"}, "without single quotes"),
    ],
)
def test_what_to_release_is_said_in_one_way(sandbox, arguments, told):
    with pytest.raises(AirflowFailException, match=told) as caught:
        release(**arguments)
    assert "or '1'" not in str(caught.value)
    assert isinstance(caught.value.__cause__, CloudElementsValidationError)


def test_the_policy_is_written_only_where_it_differs(sandbox):
    set_policy("queue")
    wire = Wire(sandbox)
    assert set_policy("queue") == {"policy": "queue", "before": "queue", "changed": False}
    assert wire.calls() == ["GET /accounts/settings"]
    assert set_policy("retry")["changed"]


def test_another_policy_is_refused_when_the_dag_is_parsed():
    with pytest.raises(ValueError, match="one of 'retry', 'queue'"):
        CloudElementsSetNotificationPolicyOperator(task_id="policy", policy="drop")


def test_a_policy_that_does_not_read_back_is_an_error(sandbox, monkeypatch):
    with client_of(sandbox) as client:
        monkeypatch.setattr(type(client.deliveries), "policy", lambda self: "retry")
        with pytest.raises(CloudElementsServerError, match="reading back shows 'retry'"):
            client.deliveries.set_policy("queue")
