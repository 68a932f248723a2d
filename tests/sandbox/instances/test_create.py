"""POST /instances: facts F161 to F172."""

import base64

import pytest


def test_a_create_is_200_with_integer_id_and_token(api):
    answer = api("POST", "/instances", json=api.body("microsoftgraph", tags=["Docs"]))
    assert answer.status_code == 200
    instance = answer.json()
    assert type(instance["id"]) is int
    assert len(base64.b64decode(instance["token"], validate=True)) == 32
    assert instance["element"]["key"] == "microsoftgraph"
    assert instance["elementId"] == instance["element"]["id"]
    assert (instance["valid"], instance["disabled"]) == (True, False)
    assert set(instance["user"]) == {"id", "emailAddress", "firstName", "lastName"}
    assert instance["createdDate"].endswith("Z")
    assert instance == api.show(instance["id"])


def test_the_documented_example_with_events(api, sandbox):
    """The body of the vendor's page "Microsoft Graph Events", as it is printed there."""
    body = {
        "element": {"key": "microsoftgraph"},
        "providerData": {"code": sandbox.code()},
        "configuration": {
            "oauth.callback.url": "https://mycoolapp.com",
            "oauth.api.key": "xxxxxxxxxxxxxxxxxx",
            "oauth.api.secret": "xxxxxxxxxxxxxxxxxxxxxx",
            "oauth.scope": "Calendars.Read Calendars.ReadWrite offline_access",
            "event.notification.enabled": True,
            "event.notification.callback.url": "https://mycoolapp.com/events",
        },
        "tags": ["Docs"],
        "name": "API Instance",
    }
    instance = api("POST", "/instances", json=body).json()
    assert instance["name"] == "API Instance"
    assert instance["tags"] == ["Docs"]
    assert instance["eventsEnabled"] is True
    assert instance["eventsNotificationCallbackUrl"] == "https://mycoolapp.com/events"
    assert instance["configuration"]["event.notification.enabled"] == "true"


def test_the_default_tag_is_the_name(api):
    assert api.create(name="Mine")["tags"] == ["Mine"]
    assert api.create(name="<b>Mine</b>")["tags"] == ["Mine"]
    assert api.create(name="Mine", tags=None)["tags"] == ["Mine"]
    assert api.create(name="Mine", tags=["one", "two"])["tags"] == ["one", "two"]
    assert api.create(name="Mine", tags=[])["tags"] == []


def test_no_element_is_400(api):
    for element in (None, {}, {"key": None}, {"key": ""}, "sfdc", {"key": True}, {"key": ["sfdc"]}):
        api.refused(api("POST", "/instances", json={**api.body(), "element": element}), 400)


def test_the_element_may_stand_in_the_path(api):
    body = api.body()
    del body["element"]
    for name in ("closeio", api("GET", "/elements/closeio").json()["id"]):
        answer = api("POST", f"/elements/{name}/instances", json=body)
        assert answer.status_code == 200
        assert answer.json()["element"]["key"] == "closeio"


def test_an_element_may_be_named_by_id(api):
    number = api("GET", "/elements/closeio").json()["id"]
    assert api.create(element={"id": number})["element"]["key"] == "closeio"


@pytest.mark.parametrize("element", ["microsoftgraph", "closeio", "netsuitecrm"])
def test_missing_configuration_is_named(api, element):
    required = [
        row["key"]
        for row in api("GET", f"/elements/{element}/configuration").json()["configuration"]
        if row["required"]
    ]
    body = {"element": {"key": element}, "name": "x", "providerData": {"code": "c"}}
    for configuration in (None, {}, dict.fromkeys(required, ""), dict.fromkeys(required)):
        refused = api.refused(api("POST", "/instances", json={**body, "configuration": configuration}), 400)
        for key in required:
            assert key in refused["message"]


def test_an_unknown_element_is_404(api):
    api.refused(api("POST", "/instances", json=api.body(element={"key": "nothing"})), 404)
    api.refused(api("POST", "/instances", json=api.body(element={"id": 5})), 404)
    api.refused(api("POST", "/instances", json=api.body(element={"id": 10**30})), 404)
    api.refused(api("POST", "/elements/nothing/instances", json=api.body()), 404)


def test_the_same_create_twice_makes_two(api):
    first, second = api.create(name="same"), api.create(name="same")
    assert first["id"] != second["id"]
    assert first["token"] != second["token"]


def test_secrets_are_masked_and_the_username_is_not(api):
    basic = api.show(api.create()["id"])["configuration"]
    assert basic["password"] == "********"
    assert basic["username"] == "ada"
    oauth = api.show(api.create("sfdc")["id"])["configuration"]
    assert oauth["oauth.api.key"] == oauth["oauth.api.secret"] == "********"
    # Fact F170: the vendor's token may be shown, which is why a client has to treat it as a secret.
    assert len(oauth["oauth.user.token"]) == 44
    assert api.create("pipedrive")["configuration"]["api.token"] == "********"


def test_further_keys_can_be_masked(api, sandbox):
    body = api.body()
    body["configuration"]["event.notification.signature.key"] = "signature"
    assert (
        api("POST", "/instances", json=body).json()["configuration"]["event.notification.signature.key"]
        == "signature"
    )
    sandbox.configure(masked_keys=["event.notification.signature.key"])
    assert (
        api("POST", "/instances", json=body).json()["configuration"]["event.notification.signature.key"]
        == "********"
    )


def test_configuration_values_are_strings_or_null(api):
    body = api.body()
    body["configuration"] |= {
        "event.notification.enabled": True,
        "event.poller.refresh_interval": 5,
        "event.poller.configuration": {"contacts": {"url": "/hubs/crm/contacts"}},
        "own.float": 1.5,
        "own.list": [1, "two"],
        "own.null": None,
        "own.text": "plain",
    }
    configuration = api("POST", "/instances", json=body).json()["configuration"]
    assert configuration["event.notification.enabled"] == "true"
    assert configuration["event.poller.refresh_interval"] == "5"
    assert configuration["event.poller.configuration"] == '{"contacts":{"url":"/hubs/crm/contacts"}}'
    assert configuration["own.float"] == "1.5"
    assert configuration["own.list"] == '[1,"two"]'
    assert configuration["own.null"] is None
    assert configuration["own.text"] == "plain"
    # What the caller does not say has the element's default, or null.
    assert configuration["filter.response.nulls"] == "true"
    assert configuration["event.notification.callback.url"] is None
    assert all(value is None or isinstance(value, str) for value in configuration.values())


def test_events_are_off_by_default(api):
    instance = api.create()
    assert instance["eventsEnabled"] is False
    assert instance["configuration"]["event.notification.enabled"] == "false"
    assert "eventsNotificationCallbackUrl" not in instance


def test_html_is_stripped_from_name_and_tags(api):
    instance = api.create(name="a <b>bold</b> name<br/>", tags=["<i>one</i>", "1 < 2"])
    assert instance["name"] == "a bold name"
    assert instance["tags"] == ["one", "1 < 2"]


def test_a_create_without_name_is_called_like_its_element(api):
    for name in (None, "", "<b></b>"):
        instance = api.create(name=name)
        assert instance["name"] == "Close.io"
        assert instance["tags"] == ["Close.io"]
    assert api.create(name=5)["name"] == "5"


@pytest.mark.parametrize(
    "fields",
    [
        {"tags": "one"},
        {"tags": [1]},
        {"tags": [None]},
        {"tags": {"a": 1}},
        {"name": {}},
        {"name": ["x"]},
        {"configuration": "x"},
        {"configuration": []},
        {"oauthProxy": {"isOauthProxy": True}},
        {"externalAuthentication": 5},
    ],
)
def test_fields_of_the_wrong_type_are_400(api, sandbox, fields):
    api.refused(api("POST", "/instances", json=api.body(**fields)), 400)
    assert sandbox.instances() == []


def test_tags_as_objects_of_2015_are_taken_by_name(api):
    assert api.create(tags=[{"id": 1, "name": "old"}, "new"])["tags"] == ["old", "new"]


def test_a_refused_create_makes_nothing(api, sandbox):
    for body in ({}, api.body(configuration={}), api.body("microsoftgraph", providerData={"code": "no"})):
        assert api("POST", "/instances", json=body).status_code == 400
    assert sandbox.instances() == []
