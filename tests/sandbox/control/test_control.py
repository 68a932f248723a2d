"""The sandbox's own calls."""

import pytest

from airflow_provider_cloudelements.sandbox import SandboxError


def test_reset_forgets_everything_but_the_start(api, sandbox):
    instance = api.create()
    sandbox.code()
    sandbox.add_fault("status", path="/nothing")
    sandbox.configure(page_size=3)
    sandbox.reset()
    assert sandbox.instances() == []
    assert sandbox.codes() == []
    assert sandbox.faults() == []
    assert sandbox.requests() == []
    assert sandbox.configure()["page_size"] == 200
    api.refused(api("GET", "/leads", token=instance["token"]), 401)
    # Ids are not used again: a stale one never means somebody else.
    assert api.create()["id"] > instance["id"]


def test_settings_are_read_and_changed(sandbox):
    before = sandbox.control("GET", "/settings")
    assert before["code_lifetime"] == 600
    assert sandbox.configure(code_lifetime=5, masked_keys=["a"]) == {
        **before,
        "code_lifetime": 5,
        "masked_keys": ["a"],
    }


@pytest.mark.parametrize(
    "change",
    [
        {"nothing": 1},
        {"user_secret": "x"},
        {"masked_values": "maybe"},
        {"masked_keys": "a"},
        {"masked_keys": [1]},
        {"page_size": 0},
        {"page_size": 1.5},
        {"page_size": True},
        {"delay": -1},
        {"delay": "1"},
        {"echo_provider_data": 1},
        {"vendor_refusal_status": 500},
    ],
)
def test_settings_that_do_not_fit_are_400(sandbox, change):
    before = sandbox.configure()
    with pytest.raises(SandboxError, match="400"):
        sandbox.configure(**change)
    assert sandbox.configure() == before


def test_instances_are_summed_up(api, sandbox):
    instance = api.create(name="one", tags=["t"])
    (row,) = sandbox.instances()
    assert row == {
        "id": instance["id"],
        "name": "one",
        "element": "closeio",
        "tags": ["t"],
        "createdDate": instance["createdDate"],
        "valid": True,
        "disabled": False,
        "failedRefreshes": 0,
        "eventsEnabled": False,
        "eventsBy": "webhook",
        "externalAuthentication": "none",
    }
    assert sandbox.set_instance(instance["id"], disabled=True)["disabled"] is True
    for change in ({"valid": 1}, {"name": True}):
        with pytest.raises(SandboxError, match="400"):
            sandbox.set_instance(instance["id"], **change)
    with pytest.raises(SandboxError, match="404"):
        sandbox.set_instance(1, valid=True)


def test_codes_are_minted_for_oauth2_elements_only(sandbox):
    assert sandbox.code() != sandbox.code()
    for body in (
        {"element": "closeio"},
        {"element": "nothing"},
        {"element": 5},
        {"lifetime": "1"},
        {"scope": []},
    ):
        with pytest.raises(SandboxError, match="400"):
            sandbox.control("POST", "/codes", body)
    first = sandbox.control("POST", "/codes")
    assert first["index"] == 3
    assert sandbox.codes()[-1]["fingerprint"] == first["fingerprint"]


def test_unknown_control_calls(api, sandbox):
    for path in ("/nothing", "/reset/all"):
        api.refused(api.session.get(f"{sandbox.url}/sandbox{path}", timeout=20), 404)
    api.refused(api.session.get(f"{sandbox.url}/sandbox/reset", timeout=20), 405)
    api.refused(api.session.get(f"{sandbox.url}/sandbox/requests?since=x", timeout=20), 400)
    assert api.session.get(f"{sandbox.url}/sandbox", timeout=20).json()["url"] == sandbox.url
