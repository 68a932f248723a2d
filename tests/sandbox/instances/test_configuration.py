"""Configuration rows: fact F189."""


def rows(api, instance):
    return {row["key"]: row for row in api("GET", f"/instances/{instance['id']}/configuration").json()}


def test_rows_have_numeric_ids_and_string_values(api):
    instance = api.create("microsoftgraph")
    found = rows(api, instance)
    assert {key: row["propertyValue"] for key, row in found.items()} == instance["configuration"]
    assert len({row["id"] for row in found.values()}) == len(found)
    for row in found.values():
        assert type(row["id"]) is int
        assert {"name", "type", "required", "active", "description", "hideFromConsole"} <= set(row)
        assert api("GET", f"/instances/{instance['id']}/configuration/{row['id']}").json() == row
    assert found["oauth.api.secret"]["propertyValue"] == "********"
    assert found["oauth.api.secret"]["required"] is True


def test_events_are_switched_by_a_row(api):
    instance = api.create()
    row = rows(api, instance)["event.notification.enabled"]
    path = f"/instances/{instance['id']}/configuration/{row['id']}"
    assert api("PATCH", path, json={"propertyValue": "true"}).json()["propertyValue"] == "true"
    assert api("GET", path).json()["propertyValue"] == "true"
    assert api.show(instance["id"])["eventsEnabled"] is True
    assert api("PATCH", path, json={"propertyValue": False}).json()["propertyValue"] == "false"
    assert api.show(instance["id"])["eventsEnabled"] is False


def test_a_row_is_named_by_its_id_not_its_key(api):
    instance, other = api.create(), api.create()
    row = rows(api, instance)["username"]["id"]
    for bad in ("username", "1", "-1", "x"):
        api.refused(api("GET", f"/instances/{instance['id']}/configuration/{bad}"), 404)
    api.refused(api("GET", f"/instances/{other['id']}/configuration/{row}"), 404)


def test_a_mask_written_to_a_row_keeps_the_secret(api, sandbox):
    instance = api.create()
    path = f"/instances/{instance['id']}/configuration/{rows(api, instance)['password']['id']}"
    assert api("PATCH", path, json={"propertyValue": "********"}).json()["propertyValue"] == "********"
    assert api("GET", "/ping", token=instance["token"]).status_code == 200
    api("PATCH", path, json={"propertyValue": "rejected-one"})
    assert api.show(instance["id"])["valid"] is False
    sandbox.configure(masked_values="reject")
    api.refused(api("PATCH", path, json={"propertyValue": "********"}), 400)


def test_a_patch_needs_a_property_value(api):
    instance = api.create()
    path = f"/instances/{instance['id']}/configuration/{rows(api, instance)['username']['id']}"
    for body in ({}, {"value": "x"}):
        assert "propertyValue" in api.refused(api("PATCH", path, json=body), 400)["message"]
    assert api("PATCH", path, json={"propertyValue": None}).json()["propertyValue"] is None


def test_the_idless_twins(api):
    instance = api.create()
    found = api("GET", "/instances/configuration", token=instance["token"]).json()
    assert {row["key"]: row for row in found} == rows(api, instance)
    path = f"/instances/configuration/{found[0]['id']}"
    assert api("GET", path, token=instance["token"]).json() == found[0]
    assert api("PATCH", path, token=instance["token"], json={"propertyValue": "new"}).status_code == 200
    assert api.show(instance["id"])["configuration"][found[0]["key"]] == "new"
