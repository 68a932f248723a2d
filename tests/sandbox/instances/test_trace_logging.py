"""Trace logging and its end: fact F190."""

import time

import pytest


def test_a_duration_ends_it(api):
    instance = api.create()
    path = f"/instances/{instance['id']}"
    assert api("PUT", f"{path}/trace-logging", json={"duration": 0.6}).status_code == 200
    assert api("GET", path).json()["traceLoggingEnabled"] is True
    # The whole object sent back does not make it endless.
    api("PUT", path, json=api.show(instance["id"]))
    time.sleep(0.65)
    assert api("GET", path).json()["traceLoggingEnabled"] is False
    assert api("GET", "/instances").json()[0]["traceLoggingEnabled"] is False


@pytest.mark.parametrize("body", [None, {}, {"duration": None}, {"duration": 10**400}])
def test_without_one_it_goes_on(api, body):
    path = f"/instances/{api.create()['id']}"
    api("PUT", f"{path}/trace-logging", json={"duration": 0.05})
    assert api("PUT", f"{path}/trace-logging", json=body).status_code == 200
    time.sleep(0.1)
    assert api("GET", path).json()["traceLoggingEnabled"] is True


def test_the_twin_takes_one_too(api):
    instance = api.create()
    answer = api("PUT", "/instances/trace-logging", token=instance["token"], json={"duration": 60})
    assert answer.status_code == 200
    assert api.show(instance["id"])["traceLoggingEnabled"] is True
    api("PUT", "/instances/trace-logging", token=instance["token"], json={"duration": 0})
    assert api.show(instance["id"])["traceLoggingEnabled"] is False


@pytest.mark.parametrize("duration", ["long", True, -1, []])
def test_a_duration_that_is_none_is_400(api, duration):
    instance = api.create()
    api.refused(api("PUT", f"/instances/{instance['id']}/trace-logging", json={"duration": duration}), 400)
    assert api.show(instance["id"])["traceLoggingEnabled"] is False
