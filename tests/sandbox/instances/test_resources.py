"""Calls through an instance: facts F321 to F328."""

import pytest


def test_ping(api):
    instance = api.create("microsoftgraph")
    for path in ("/ping", "/hubs/general/ping"):
        answer = api("GET", path, token=instance["token"]).json()
        assert answer["endpoint"] == "microsoftgraph"
        assert isinstance(answer["dateTime"], str)
        assert set(answer) == {"dateTime", "endpoint"}


def test_the_hub_is_ignored(api):
    token = api.create("microsoftgraph")["token"]
    plain = api("GET", "/calendars", token=token).json()
    assert [row["name"] for row in plain] == ["Calendar", "Birthdays", "Team"]
    for hub in ("general", "crm", "junk"):
        assert api("GET", f"/hubs/{hub}/calendars", token=token).json() == plain


def test_the_instance_is_named_in_a_header(api):
    instance = api.create()
    answer = api("GET", "/leads", token=instance["token"])
    assert answer.headers["Elements-Element-Instance-Id"] == str(instance["id"])
    assert "Elements-Element-Instance-Id" not in api("GET", "/instances").headers


def test_objects(api):
    token = api.create("microsoftgraph")["token"]
    names = api("GET", "/objects", token=token).json()
    assert "calendars" in names
    helium = api("GET", "/hubs/general/objects", token=token, headers={"Elements-Version": "Helium"}).json()
    assert [row["name"] for row in helium] == names
    assert all(row["type"] == "vendor" for row in helium)


@pytest.mark.parametrize(
    ("element", "name"), [("microsoftgraph", "events"), ("sfdc", "accounts"), ("closeio", "leads")]
)
def test_records_are_made_read_changed_and_deleted(api, element, name):
    token = api.create(element)["token"]
    record = api("POST", f"/{name}", token=token, json={"subject": "New"}).json()
    path = f"/{name}/{record['id']}"
    assert api("GET", path, token=token).json() == record
    assert api("PATCH", path, token=token, json={"more": 1}).json() == {**record, "more": 1}
    assert api("PUT", path, token=token, json={"only": 2}).json() == {"only": 2, "id": record["id"]}
    assert len(api("GET", f"/{name}", token=token).json()) == 4
    assert api("DELETE", path, token=token).status_code == 200
    assert api.refused(api("GET", path, token=token), 404)["providerMessage"]
    assert len(api("GET", f"/{name}", token=token).json()) == 3


def test_each_instance_has_its_own_records(api):
    one, two = api.create()["token"], api.create()["token"]
    api("POST", "/leads", token=one, json={})
    assert len(api("GET", "/leads", token=two).json()) == 3


def test_the_element_decides_which_resources_there_are(api):
    token = api.create()["token"]
    api.refused(api("GET", "/calendars", token=token), 404)
    api.refused(api("GET", "/leads/1/notes", token=token), 404)


def test_queries(api):
    token = api.create("sfdc")["token"]

    def ask(**params):
        return api("GET", "/contacts", token=token, params=params)

    assert [row["LastName"] for row in ask(where="LastName = 'Box 2'").json()] == ["Box 2"]
    assert [row["LastName"] for row in ask(orderBy="LastName desc").json()] == ["Box 3", "Box 2", "Box 1"]
    assert ask(fields="LastName,id,nothing").json()[0].keys() == {"LastName", "id"}
    assert [row["LastName"] for row in ask(page=2, pageSize=2).json()] == ["Box 3"]
    api.refused(ask(page="x"), 400)
    api.refused(ask(where="no"), 400)


def test_a_full_last_page_of_records_has_a_token_too(api):
    token = api.create("sfdc")["token"]
    first = api("GET", "/contacts", token=token, params={"pageSize": 3})
    assert len(first.json()) == 3
    following = first.headers["Elements-Next-Page-Token"]
    last = api("GET", "/contacts", token=token, params={"pageSize": 3, "nextPage": following})
    assert last.json() == []
    assert "Elements-Next-Page-Token" not in last.headers


def test_a_revoked_session_is_401_with_the_vendors_words(api, sandbox):
    instance = api.create("microsoftgraph")
    sandbox.set_instance(instance["id"], valid=False)
    assert "AADSTS" in api.refused(api("GET", "/calendars", token=instance["token"]), 401)["providerMessage"]
    assert api("GET", "/objects", token=instance["token"]).status_code == 200
    sandbox.set_instance(instance["id"], valid=True, disabled=True)
    assert "providerMessage" not in api.refused(api("GET", "/calendars", token=instance["token"]), 403)
