"""Authorization: facts F3 to F11."""

import itertools

import pytest


def test_user_and_organization_list_instances(api):
    answer = api("GET", "/instances")
    assert answer.status_code == 200
    assert answer.json() == []


def test_pairs_in_any_order(api, sandbox):
    instance = api.create()
    pairs = (
        f"User {sandbox.user_secret}",
        f"Organization {sandbox.organization_secret}",
        f"Element {instance['token']}",
    )
    for order in itertools.permutations(pairs):
        for joint in (", ", ","):
            answer = api("GET", "/ping", headers={"Authorization": joint.join(order)})
            assert answer.status_code == 200, order


@pytest.mark.parametrize(
    "path", ["/instances", "/instances/1", "/elements", "/organizations/me", "/leads", "/x/y/z"]
)
def test_no_authorization_is_401(api, path):
    body = api.refused(api("GET", path, headers={"Authorization": None}), 401)
    assert "providerMessage" not in body


@pytest.mark.parametrize(
    "words",
    [
        "User wrong, Organization {o}",
        "User {u}, Organization wrong",
        "User {u}",
        "Organization {o}",
        "User {u}é, Organization {o}",
        "user {u}, organization {o}",
        "Bearer unknown",
        "User{u}, Organization{o}",
        ", ,",
    ],
)
def test_a_missing_or_wrong_word_is_401(api, sandbox, words):
    header = words.format(u=sandbox.user_secret, o=sandbox.organization_secret).encode("utf-8")
    api.refused(api("GET", "/instances", headers={"Authorization": header}), 401)


def test_the_token_of_a_deleted_instance_is_401(api):
    instance = api.create()
    assert api("GET", "/leads", token=instance["token"]).status_code == 200
    assert api("DELETE", f"/instances/{instance['id']}").status_code == 200
    api.refused(api("GET", "/leads", token=instance["token"]), 401)


def test_a_disabled_instance(api):
    instance = api.create()
    path = f"/instances/{instance['id']}/enabled"
    assert api("DELETE", path).status_code == 200
    assert api.show(instance["id"])["disabled"] is True
    for call in ("/leads", "/ping", "/hubs/crm/leads"):
        api.refused(api("GET", call, token=instance["token"]), 403)
    assert api("GET", "/objects", token=instance["token"]).status_code == 200
    assert api("PUT", path).status_code == 200
    assert api.show(instance["id"])["disabled"] is False
    assert api("GET", "/leads", token=instance["token"]).status_code == 200


def test_a_disabled_instance_is_enabled_by_its_own_token(api):
    instance = api.create()
    assert api("DELETE", "/instances/enabled", token=instance["token"]).status_code == 200
    assert api.show(instance["id"])["disabled"] is True
    assert api("PUT", "/instances/enabled", token=instance["token"]).status_code == 200
    assert api.show(instance["id"])["disabled"] is False


def test_a_resource_call_takes_user_and_element_alone(api, sandbox):
    token = api.create()["token"]
    answer = api("GET", "/leads", headers={"Authorization": f"User {sandbox.user_secret}, Element {token}"})
    assert answer.status_code == 200
    wrong = f"User {sandbox.user_secret}, Organization wrong, Element {token}"
    api.refused(api("GET", "/leads", headers={"Authorization": wrong}), 401)
    api.refused(api("GET", "/leads", headers={"Authorization": f"Element {token}"}), 401)


def test_no_element_token_is_401_before_404_for_the_name(api):
    api.refused(api("GET", "/no-such-resource"), 401)
    token = api.create()["token"]
    api.refused(api("GET", "/no-such-resource", token=token), 404)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/instances"),
        ("PATCH", "/instances"),
        ("DELETE", "/instances"),
        ("PUT", "/instances/enabled"),
        ("GET", "/instances/configuration"),
        ("GET", "/instances/docs"),
        ("PUT", "/instances/trace-logging"),
    ],
)
def test_the_idless_twins_need_the_element_token(api, method, path):
    instance = api.create()
    api.refused(api(method, path, json={}), 401)
    api.refused(api(method, path, json={}, token="stale"), 401)
    assert api(method, path, json={}, token=instance["token"]).status_code == 200


def test_a_stale_element_token_is_tolerated_on_platform_calls(api):
    answer = api("POST", "/instances", token="stale", json=api.body())
    assert answer.status_code == 200
    for path in (f"/instances/{answer.json()['id']}", "/instances", "/elements/sfdc", "/organizations/me"):
        assert api("GET", path, token="stale").status_code == 200


def test_bare_accounts_depends_on_the_element_token(api):
    assert api("GET", "/accounts").json()[0]["defaultAccount"] is True
    token = api.create("sfdc")["token"]
    assert "Industry" in api("GET", "/accounts", token=token).json()[0]
    api.refused(api("GET", "/accounts", token="stale"), 401)


def test_the_consent_link_needs_no_words_but_takes_no_wrong_ones(api):
    path = "/elements/sfdc/oauth/url?apiKey=k&apiSecret=s&callbackUrl=https://app.example/cb"
    assert api("GET", path, headers={"Authorization": None}).status_code == 200
    assert api("GET", path).status_code == 200
    api.refused(api("GET", path, headers={"Authorization": "User wrong"}), 401)
    api.refused(api("GET", path, headers={"Authorization": "Organization wrong"}), 401)


def test_the_bearer_flow(api, sandbox):
    wrong = {"username": "sandbox@example.com", "password": "wrong"}
    api.refused(api("POST", "/authentication", json=wrong, headers={"Authorization": None}), 401)
    login = {"username": "sandbox@example.com", "password": "sandbox"}
    answer = api("POST", "/authentication", json=login, headers={"Authorization": None})
    bearer = {"Authorization": f"Bearer {answer.json()['token']}"}
    secrets = api("GET", "/authentication/secrets", headers=bearer).json()
    assert secrets == {
        "userSecret": sandbox.user_secret,
        "organizationSecret": sandbox.organization_secret,
    }
    assert api("GET", "/instances", headers=bearer).status_code == 200


def test_organizations_me_is_a_connection_test(api):
    assert api("GET", "/organizations/me").json()["id"]
