"""Revoked and refreshed sessions, and what the platform makes of failures: facts F130 to F137."""

import time
from functools import partial

import pytest

from airflow_provider_cloudelements.sandbox import SandboxError
from tests.support.patience import wait_for

EXTERNAL = {
    "oauth.user.refresh_token": "refresh-1",
    "oauth.api.key": "client-1",
    "oauth.api.secret": "client-secret",
}


def external(api, **changes):
    return api.create(
        "sfdc", providerData=None, configuration={**EXTERNAL, **changes}, externalAuthentication="initial"
    )


def views(api, sandbox, instance):
    """Return (valid, disabled) in every place that shows them."""
    number = instance["id"]
    shown = [
        api.show(number),
        api("GET", f"/elements/{instance['elementId']}/instances/{number}").json(),
        *(
            row
            for path in ("/instances", "/instances?hydrate=false", "/accounts/instances")
            for row in api("GET", path).json()
            if row["id"] == number
        ),
        *(row for row in sandbox.instances() if row["id"] == number),
    ]
    assert len(shown) == 6
    return {(row["valid"], row["disabled"]) for row in shown}


until = partial(wait_for, seconds=10)


def patch(api, instance, **configuration):
    answer = api("PATCH", f"/instances/{instance['id']}", json={"configuration": configuration})
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize(
    ("element", "text"), [("microsoftgraph", "AADSTS50173"), ("sfdc", "revoked"), ("closeio", "revoked")]
)
def test_a_revoked_instance_is_refused_in_the_vendors_words(api, sandbox, element, text):
    instance, other = api.create(element), api.create(element)
    assert sandbox.revoke(instance["id"])["valid"] is False
    name = instance["element"]["key"]
    resource = {"microsoftgraph": "calendars", "sfdc": "contacts", "closeio": "leads"}[name]
    for path in (f"/{resource}", f"/hubs/any/{resource}", "/ping", "/hubs/any/ping"):
        refused = api.refused(api("GET", path, token=instance["token"]), 401)
        assert text in refused["providerMessage"]
    assert views(api, sandbox, instance) == {(False, False)}
    # The platform still knows it, and nobody else has lost anything.
    assert api("GET", "/objects", token=instance["token"]).status_code == 200
    assert api("GET", "/ping", token=other["token"]).status_code == 200
    assert views(api, sandbox, other) == {(True, False)}


def test_the_fifth_failed_refresh_disables_the_instance(api, sandbox):
    sandbox.configure(failed_refresh_interval=0.1)
    instance = api.create("sfdc")
    began = time.monotonic()
    assert sandbox.revoke(instance["id"])["failedRefreshes"] == 1
    until(lambda: sandbox.instances()[0]["disabled"])
    assert time.monotonic() - began >= 0.4
    assert views(api, sandbox, instance) == {(False, True)}
    assert sandbox.instances()[0]["failedRefreshes"] == 5
    # Disabled comes before anything the vendor would say.
    assert "providerMessage" not in api.refused(api("GET", "/ping", token=instance["token"]), 403)
    assert api("GET", "/objects", token=instance["token"]).status_code == 200


@pytest.mark.parametrize("look", ["show", "list", "resource", "control"])
def test_whoever_looks_first_sees_that_it_is_disabled(api, sandbox, look):
    sandbox.configure(failed_refresh_interval=0.05)
    instance = api.create("sfdc")
    sandbox.revoke(instance["id"])
    time.sleep(0.3)
    if look == "show":
        assert api.show(instance["id"])["disabled"] is True
    elif look == "list":
        assert api("GET", "/instances").json()[0]["disabled"] is True
    elif look == "resource":
        api.refused(api("GET", "/contacts", token=instance["token"]), 403)
    else:
        assert sandbox.instances()[0]["disabled"] is True


def test_ten_seconds_apart_by_default_and_at_once_on_request(api, sandbox):
    assert sandbox.configure()["failed_refresh_interval"] == 10
    instance = api.create("microsoftgraph")
    sandbox.revoke(instance["id"])
    assert sandbox.instances()[0]["failedRefreshes"] == 1
    api.refused(api("GET", "/ping", token=instance["token"]), 401)
    sandbox.configure(failed_refresh_interval=0)
    api.refused(api("GET", "/ping", token=instance["token"]), 403)
    other = api.create("microsoftgraph")
    assert sandbox.revoke(other["id"])["disabled"] is True


def test_it_must_be_enabled_and_authenticated_again(api, sandbox):
    instance = api.create("microsoftgraph")
    path = f"/instances/{instance['id']}"
    sandbox.configure(failed_refresh_interval=0)
    sandbox.revoke(instance["id"])
    after = api("PATCH", path, json={"providerData": {"code": sandbox.code()}}).json()
    assert (after["valid"], after["disabled"]) == (True, True)
    assert sandbox.instances()[0]["failedRefreshes"] == 0
    api.refused(api("GET", "/ping", token=instance["token"]), 403)
    assert api("PUT", f"{path}/enabled").status_code == 200
    assert api("GET", "/ping", token=instance["token"]).status_code == 200


@pytest.mark.parametrize("how", ["api", "twin", "control"])
def test_enabling_alone_begins_the_count_again(api, sandbox, how):
    instance = api.create("sfdc")
    sandbox.configure(failed_refresh_interval=0)
    sandbox.revoke(instance["id"])
    sandbox.configure(failed_refresh_interval=0.2)
    if how == "api":
        api("PUT", f"/instances/{instance['id']}/enabled")
    elif how == "twin":
        api("PUT", "/instances/enabled", token=instance["token"])
    else:
        sandbox.set_instance(instance["id"], disabled=False)
    assert views(api, sandbox, instance) == {(False, False)}
    api.refused(api("GET", "/ping", token=instance["token"]), 401)
    until(lambda: sandbox.instances()[0]["disabled"])


def test_what_a_person_disabled_is_not_refreshed(api, sandbox):
    sandbox.configure(failed_refresh_interval=0)
    instance = external(api, **{"oauth.user.refresh_interval": "0.05"})
    api("DELETE", f"/instances/{instance['id']}/enabled")
    token = api.show(instance["id"])["configuration"]["oauth.user.token"]
    time.sleep(0.1)
    assert api.show(instance["id"])["configuration"]["oauth.user.token"] == token
    assert sandbox.revoke(instance["id"])["failedRefreshes"] == 0
    sandbox.set_instance(instance["id"], valid=True)
    api("PUT", f"/instances/{instance['id']}/enabled")
    assert api.show(instance["id"])["configuration"]["oauth.user.token"] != token


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_a_code_ends_a_revocation(api, sandbox, method):
    instance = api.create("sfdc")
    path = f"/instances/{instance['id']}"
    sandbox.revoke(instance["id"])
    assert api(method, path, json={"name": "no code"}).json()["valid"] is False
    api.refused(api(method, path, json={"providerData": {"code": "wrong"}}), 400)
    assert api.show(instance["id"])["valid"] is False
    after = api(method, path, json={"providerData": {"code": sandbox.code("sfdc")}}).json()
    assert after["valid"] is True
    assert api("GET", "/ping", token=instance["token"]).status_code == 200
    # What the code brought can be revoked as well.
    assert sandbox.revoke(instance["id"])["valid"] is False


def test_another_refresh_token_ends_a_revocation_the_old_one_does_not(api, sandbox):
    instance = external(api)
    sandbox.revoke(instance["id"])
    assert patch(api, instance, **{"oauth.user.refresh_token": "refresh-1"})["valid"] is False
    assert patch(api, instance, **{"oauth.api.secret": "another"})["valid"] is False
    after = patch(api, instance, **{"oauth.user.refresh_token": "refresh-2"})
    assert after["valid"] is True
    assert after["configuration"]["oauth.user.token"] != instance["configuration"]["oauth.user.token"]
    assert api("GET", "/ping", token=instance["token"]).status_code == 200
    assert patch(api, instance, **{"oauth.user.refresh_token": "refresh-1"})["valid"] is False
    assert patch(api, instance, **{"oauth.user.refresh_token": "rejected-3"})["valid"] is False


@pytest.mark.parametrize(("element", "key"), [("closeio", "password"), ("pipedrive", "api.token")])
def test_a_password_is_revoked_until_it_is_changed_and_nothing_is_disabled(api, sandbox, element, key):
    sandbox.configure(failed_refresh_interval=0)
    instance = api.create(element)
    old = api.body(element)["configuration"][key]
    assert sandbox.revoke(instance["id"])["failedRefreshes"] == 0
    assert views(api, sandbox, instance) == {(False, False)}
    assert patch(api, instance, **{key: old})["valid"] is False
    # The whole object with its masks changes nothing either.
    whole = api.show(instance["id"])
    assert api("PUT", f"/instances/{instance['id']}", json=whole).json()["valid"] is False
    assert patch(api, instance, **{key: "a new one"})["valid"] is True
    assert api("GET", "/ping", token=instance["token"]).status_code == 200
    assert patch(api, instance, **{key: old})["valid"] is False


def test_a_session_ended_by_control_call_ends_for_now_a_revocation_for_good(api, sandbox):
    instance = api.create()
    sandbox.set_instance(instance["id"], valid=False)
    assert patch(api, instance, password="pass-word")["valid"] is False
    assert patch(api, instance, password="another")["valid"] is True
    assert patch(api, instance, password="pass-word")["valid"] is True
    sandbox.revoke(instance["id"])
    assert patch(api, instance, password="another")["valid"] is True
    assert patch(api, instance, password="pass-word")["valid"] is False
    assert sandbox.set_instance(instance["id"], valid=True)["valid"] is True


def test_valid_by_control_call_fails_refreshes_and_takes_a_revocation_back(api, sandbox):
    instance = api.create("sfdc")
    sandbox.configure(failed_refresh_interval=0)
    row = sandbox.set_instance(instance["id"], valid=False)
    assert (row["valid"], row["disabled"], row["failedRefreshes"]) == (False, True, 5)
    sandbox.revoke(instance["id"])
    row = sandbox.set_instance(instance["id"], valid=True, disabled=False)
    assert (row["valid"], row["disabled"], row["failedRefreshes"]) == (True, False, 0)
    assert api("GET", "/ping", token=instance["token"]).status_code == 200


@pytest.mark.parametrize("value", ["rejected-secret", "********"])
def test_refreshes_fail_with_rejected_credentials_too(api, sandbox, value):
    sandbox.configure(failed_refresh_interval=0.1, masked_values="store")
    instance = api.create("sfdc")
    assert patch(api, instance, **{"oauth.api.secret": value})["valid"] is False
    api.refused(api("GET", "/ping", token=instance["token"]), 401)
    until(lambda: sandbox.instances()[0]["disabled"])
    after = patch(api, instance, **{"oauth.api.secret": "good"})
    assert (after["valid"], after["disabled"]) == (True, True)


def test_a_deleted_instance_and_a_reset_leave_nothing_behind(api, sandbox):
    sandbox.configure(failed_refresh_interval=0.05)
    instance, kept = external(api, **{"oauth.user.refresh_interval": "0.05"}), api.create("sfdc")
    sandbox.revoke(instance["id"])
    assert api("DELETE", f"/instances/{instance['id']}").status_code == 200
    time.sleep(0.3)
    assert [row["id"] for row in sandbox.instances()] == [kept["id"]]
    sandbox.revoke(kept["id"])
    sandbox.reset()
    assert sandbox.instances() == []
    assert api.create("sfdc")["disabled"] is False


@pytest.mark.parametrize("way", ["delete", "reset"])
def test_nothing_is_done_for_an_instance_that_is_gone(way):
    from airflow_provider_cloudelements.sandbox.elements.catalogue import find
    from airflow_provider_cloudelements.sandbox.settings import Settings
    from airflow_provider_cloudelements.sandbox.state import State

    state = State(Settings())
    configuration = {**EXTERNAL, "oauth.user.refresh_interval": "0"}
    body = {"configuration": configuration, "externalAuthentication": "initial"}
    healthy, failing = (state.provisioning.create(find("sfdc"), body) for _ in range(2))
    state.sessions.revoke(failing)
    if way == "reset":
        state.reset()
    else:
        state.sessions.forget(healthy)
        state.sessions.forget(failing)
    state.behaviour = state.behaviour.changed({"failed_refresh_interval": 0})
    token = healthy.configuration["oauth.user.token"]
    for _ in range(2):
        state.sessions.catch_up()
    assert healthy.configuration["oauth.user.token"] == token
    assert failing.failed_refreshes == 1
    assert state.sessions._due == []


def test_the_platform_refreshes_the_access_token_by_itself(api):
    instance = external(api, **{"oauth.user.refresh_interval": "0.1"})
    first = instance["configuration"]["oauth.user.token"]

    def token():
        return api.show(instance["id"])["configuration"]["oauth.user.token"]

    until(lambda: token() != first)
    second = token()
    until(lambda: token() != second)
    assert api.show(instance["id"])["valid"] is True
    # An hour is the default, and what cannot be read is the default too.
    for value in ("3600", "soon", "-1", "nan", None):
        patch(api, instance, **{"oauth.user.refresh_interval": value})
        now = token()
        time.sleep(0.15)
        assert token() == now
    assert api.create("sfdc")["configuration"]["oauth.user.refresh_interval"] == "3600"


def test_without_a_refresh_token_the_session_runs_out(api, sandbox):
    sandbox.configure(failed_refresh_interval=0.2)
    body = api.body("microsoftgraph")
    body["configuration"].update({"oauth.scope": "Calendars.Read", "oauth.user.refresh_interval": "0.5"})
    instance = api("POST", "/instances", json=body).json()
    assert api("GET", "/ping", token=instance["token"]).status_code == 200
    until(lambda: not api.show(instance["id"])["valid"])
    assert "AADSTS70008" in api.refused(api("GET", "/ping", token=instance["token"]), 401)["providerMessage"]
    until(lambda: sandbox.instances()[0]["disabled"])


def test_control_calls_that_do_not_fit(api, sandbox):
    with pytest.raises(SandboxError, match="404"):
        sandbox.revoke(1)
    for value in (-1, "1", True, None):
        with pytest.raises(SandboxError, match="400"):
            sandbox.configure(failed_refresh_interval=value)
    url = f"{sandbox.url}/sandbox/instances/{api.create()['id']}/revoke"
    api.refused(api.session.get(url, timeout=20), 405)
