"""A vendor whose secret is replaced: old and new together, then the new one alone."""

import pytest

from airflow_provider_cloudelements.sandbox import SandboxError

#: Element, the key whose value its vendor replaces, and a resource.
ELEMENTS = [
    ("sfdc", "oauth.api.secret", "contacts"),
    ("closeio", "password", "leads"),
    ("pipedrive", "api.token", "deals"),
]


def patch(api, instance, key, value):
    return api("PATCH", f"/instances/{instance['id']}", json={"configuration": {key: value}}).json()


def old_secret(api, element, key):
    return api.body(element)["configuration"][key]


@pytest.mark.parametrize(("element", "key", "resource"), ELEMENTS)
def test_a_rotation_from_the_old_secret_to_the_new(api, sandbox, element, key, resource):
    old = old_secret(api, element, key)
    early, late = api.create(element), api.create(element)

    def status(instance):
        return api("GET", f"/{resource}", token=instance["token"]).status_code

    answer = sandbox.vendor_secrets(element, [old, "new-secret"])
    assert answer == {"element": element, "key": key, "accepted": 2}
    assert (status(early), status(late)) == (200, 200)
    assert patch(api, early, key, "new-secret")["valid"] is True
    assert (status(early), status(late)) == (200, 200)

    sandbox.vendor_secrets(element, {"new-secret"})
    assert (status(early), status(late)) == (200, 401)
    assert api.refused(api("GET", "/ping", token=late["token"]), 401)["providerMessage"]
    assert (api.show(early["id"])["valid"], api.show(late["id"])["valid"]) == (True, False)

    assert patch(api, late, key, "mistyped")["valid"] is False
    assert patch(api, late, key, "new-secret")["valid"] is True
    assert (status(early), status(late)) == (200, 200)
    # Going back to the old one breaks it again.
    assert patch(api, late, key, old)["valid"] is False


def test_a_secret_no_longer_taken_fails_refreshes_and_disables(api, sandbox):
    instance, other = api.create("sfdc"), api.create("microsoftgraph")
    sandbox.configure(failed_refresh_interval=0)
    sandbox.vendor_secrets("sfdc", ["new-secret"])
    rows = {row["id"]: row for row in sandbox.instances()}
    assert rows[instance["id"]]["failedRefreshes"] == 5
    assert (rows[instance["id"]]["disabled"], rows[other["id"]]["disabled"]) == (True, False)
    api.refused(api("GET", "/ping", token=instance["token"]), 403)
    after = patch(api, instance, "oauth.api.secret", "new-secret")
    assert (after["valid"], after["disabled"]) == (True, True)
    api("PUT", f"/instances/{instance['id']}/enabled")
    assert api("GET", "/ping", token=instance["token"]).status_code == 200


def test_the_new_secret_does_not_end_a_revocation(api, sandbox):
    instance = api.create("sfdc")
    sandbox.revoke(instance["id"])
    sandbox.vendor_secrets("sfdc", ["new-secret"])
    assert patch(api, instance, "oauth.api.secret", "new-secret")["valid"] is False
    answer = api(
        "PATCH", f"/instances/{instance['id']}", json={"providerData": {"code": sandbox.code("sfdc")}}
    )
    assert answer.json()["valid"] is True


@pytest.mark.parametrize("element", ["sfdc", "closeio"])
def test_a_create_needs_a_secret_that_is_taken(api, sandbox, element):
    key = {"sfdc": "oauth.api.secret", "closeio": "password"}[element]
    sandbox.vendor_secrets(element, ["new-secret"])
    body = api.body(element)
    assert api.refused(api("POST", "/instances", json=body), 400)["providerMessage"]
    assert sandbox.instances() == []
    body["configuration"][key] = "new-secret"
    assert api("POST", "/instances", json=body).status_code == 200


def test_a_code_does_not_help_with_the_wrong_secret(api, sandbox):
    instance = api.create("sfdc")
    sandbox.vendor_secrets("sfdc", ["new-secret"])
    code = sandbox.code("sfdc")
    path = f"/instances/{instance['id']}"
    assert api.refused(api("PATCH", path, json={"providerData": {"code": code}}), 400)["providerMessage"]
    both = {"providerData": {"code": code}, "configuration": {"oauth.api.secret": "new-secret"}}
    assert api("PATCH", path, json=both).json()["valid"] is True


def test_any_secret_again(api, sandbox):
    instance = api.create("sfdc")
    sandbox.vendor_secrets("sfdc", [])
    assert api.show(instance["id"])["valid"] is False
    assert sandbox.vendor_secrets("sfdc", None)["accepted"] is None
    assert api.show(instance["id"])["valid"] is True
    sandbox.vendor_secrets("sfdc", [])
    sandbox.reset()
    assert api.create("sfdc")["valid"] is True
    # What begins with "rejected" stays rejected, listed or not.
    sandbox.vendor_secrets("closeio", ["rejected-one"])
    body = api.body("closeio")
    body["configuration"]["password"] = "rejected-one"
    api.refused(api("POST", "/instances", json=body), 400)


def test_control_calls_that_do_not_fit_and_no_secret_in_answers(api, sandbox):
    with pytest.raises(SandboxError, match="404"):
        sandbox.vendor_secrets("nothing", [])
    for body in ({}, {"accepted": "x"}, {"accepted": [1]}, {"accepted": [], "more": 1}, []):
        with pytest.raises(SandboxError, match="400"):
            sandbox.control("PUT", "/vendors/sfdc", body)
    answer = api.session.put(
        f"{sandbox.url}/sandbox/vendors/sfdc", json={"accepted": ["hidden-value"]}, timeout=20
    )
    assert answer.status_code == 200
    assert "hidden-value" not in answer.text
