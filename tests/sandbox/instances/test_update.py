"""PUT, PATCH, DELETE and their twins: facts F181 to F192."""

import pytest


def test_patch_replaces_the_tags(api):
    path = f"/instances/{api.create(tags=['one', 'two'])['id']}"
    assert api("PATCH", path, json={"tags": ["three"]}).json()["tags"] == ["three"]
    assert api("PATCH", path, json={"name": "other"}).json()["tags"] == ["three"]
    assert api("PUT", path, json={"tags": []}).json()["tags"] == []
    assert api("GET", path).json()["tags"] == []


def test_patch_strips_html_from_the_name(api):
    path = f"/instances/{api.create()['id']}"
    assert api("PATCH", path, json={"name": "<p>new</p> name"}).json()["name"] == "new name"


def test_patch_merges_the_configuration(api):
    instance = api.create()
    path = f"/instances/{instance['id']}"
    change = {"configuration": {"event.notification.callback.url": "https://app.example/events"}}
    after = api("PATCH", path, json=change).json()
    assert after["configuration"] == {**instance["configuration"], **change["configuration"]}
    assert after["eventsNotificationCallbackUrl"] == "https://app.example/events"


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_events_are_switched_by_configuration(api, method):
    path = f"/instances/{api.create()['id']}"
    for value, expected in ((True, True), ("false", False), ("true", True), (False, False)):
        answer = api(method, path, json={"configuration": {"event.notification.enabled": value}})
        assert answer.json()["eventsEnabled"] is expected
        assert answer.json()["configuration"]["event.notification.enabled"] == str(expected).lower()


def test_put_of_name_and_tags_alone_keeps_the_rest(api):
    instance = api.create()
    after = api("PUT", f"/instances/{instance['id']}", json={"name": "n", "tags": ["t"]}).json()
    assert after == {**instance, "name": "n", "tags": ["t"]}


def test_put_of_the_whole_returned_object_changes_nothing(api):
    instance = api.create()
    answer = api("PUT", f"/instances/{instance['id']}", json=instance)
    assert answer.status_code == 200
    assert answer.json() == instance
    # The masks in it did not become the secret.
    assert api("GET", "/ping", token=instance["token"]).status_code == 200


def test_masks_written_back_can_be_stored_or_refused(api, sandbox):
    instance = api.create()
    path = f"/instances/{instance['id']}"
    sandbox.configure(masked_values="reject")
    assert "password" in api.refused(api("PUT", path, json=instance), 400)["message"]
    assert api("GET", "/ping", token=instance["token"]).status_code == 200
    sandbox.configure(masked_values="store")
    assert api("PUT", path, json=instance).json()["valid"] is False
    api.refused(api("GET", "/ping", token=instance["token"]), 401)


def test_asterisks_in_a_key_that_is_not_masked_are_a_value(api):
    path = f"/instances/{api.create()['id']}"
    after = api("PATCH", path, json={"configuration": {"own.key": "********"}}).json()
    assert after["configuration"]["own.key"] == "********"


def test_what_is_not_a_callers_to_change_stays(api):
    instance = api.create()
    body = {
        "id": 1,
        "token": "x",
        "createdDate": "x",
        "valid": False,
        "disabled": True,
        "user": {},
        "name": None,
    }
    assert api("PATCH", f"/instances/{instance['id']}", json=body).json() == instance


def test_a_refused_update_changes_nothing(api):
    instance = api.create()
    path = f"/instances/{instance['id']}"
    for body in (
        {"name": "new", "tags": "wrong"},
        {"name": "new", "configuration": 5},
        {"name": "new", "element": {"key": "nothing"}},
    ):
        assert api("PATCH", path, json=body).status_code in (400, 404)
        assert api.show(instance["id"]) == instance


def test_an_instance_can_move_to_another_element(api):
    instance = api.create()
    number = api("GET", "/elements/freshdesk").json()["id"]
    after = api("PATCH", f"/instances/{instance['id']}", json={"element": {"id": number}}).json()
    assert after["element"]["key"] == "freshdesk"
    assert (after["id"], after["token"]) == (instance["id"], instance["token"])


def test_delete_is_200_and_empty_then_404(api):
    path = f"/instances/{api.create()['id']}"
    answer = api("DELETE", path)
    assert (answer.status_code, answer.content) == (200, b"")
    api.refused(api("DELETE", path), 404)
    api.refused(api("GET", path), 404)
    api.refused(api("PATCH", path, json={}), 404)
    api.refused(api("PUT", f"{path}/enabled"), 404)


def test_the_idless_twins_change_the_tokens_instance(api):
    other, instance = api.create(), api.create()
    token = instance["token"]
    assert api("PATCH", "/instances", token=token, json={"name": "patched"}).json()["name"] == "patched"
    assert api("PUT", "/instances", token=token, json={"tags": ["put"]}).json()["tags"] == ["put"]
    assert api("GET", "/instances/docs", token=token).json()["swagger"] == "2.0"
    answer = api("DELETE", "/instances", token=token)
    assert (answer.status_code, answer.content) == (200, b"")
    api.refused(api("GET", f"/instances/{instance['id']}"), 404)
    assert api.show(other["id"]) == other


def test_the_element_scoped_twins(api):
    instance = api.create()
    for key in ("closeio", instance["elementId"]):
        assert api("GET", f"/elements/{key}/instances/{instance['id']}").json() == instance
    for method in ("GET", "PUT", "DELETE"):
        api.refused(api(method, f"/elements/sfdc/instances/{instance['id']}", json={}), 404)
    path = f"/elements/closeio/instances/{instance['id']}"
    assert api("PUT", path, json={"name": "scoped"}).json()["name"] == "scoped"
    assert api("DELETE", path).status_code == 200
    api.refused(api("GET", path), 404)


def test_trace_logging(api):
    instance = api.create()
    path = f"/instances/{instance['id']}"
    assert api("PUT", f"{path}/trace-logging", json={"duration": 5}).status_code == 200
    assert api("GET", path).json()["traceLoggingEnabled"] is True
    assert api("DELETE", f"{path}/trace-logging").status_code == 200
    assert api("GET", path).json()["traceLoggingEnabled"] is False
    assert api("PUT", f"{path}/trace-logging").status_code == 200
    # The other way to switch it: the whole object again.
    assert (
        api("PUT", path, json={**instance, "traceLoggingEnabled": False}).json()["traceLoggingEnabled"]
        is False
    )
    api.refused(api("PUT", f"{path}/trace-logging", json={"duration": "long"}), 400)


def test_docs_name_the_resources(api):
    instance = api.create("microsoftgraph")
    docs = api("GET", f"/instances/{instance['id']}/docs").json()
    assert "/calendars" in docs["paths"]
