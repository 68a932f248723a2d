"""What shows on an instance of one's own, which each test makes and removes."""

from __future__ import annotations

import base64

import pytest

from tests.support.contract import NOWHERE, Made, Platform

ENABLED = "event.notification.enabled"
CALLBACK = "event.notification.callback.url"


def test_f8_the_token_alone_names_the_instance(platform: Platform, made: Made):
    instance = made.instance()
    rows = platform.ask("GET", "/instances/configuration", token=instance["token"])
    by_id = platform.ask("GET", f"/instances/{instance['id']}/configuration")
    assert {row["key"] for row in rows} == {row["key"] for row in by_id}


def test_f9_a_token_beside_a_platform_call_changes_nothing(platform: Platform, made: Made):
    instance = made.instance()
    platform.ask("DELETE", f"/instances/{instance['id']}")
    stale = instance["token"]
    assert platform.call("GET", "/organizations/me", token=stale).status_code == 200


def test_f58_a_delete_answers_200_without_a_body(platform: Platform, made: Made):
    answer = platform.call("DELETE", f"/instances/{made.instance()['id']}")
    assert (answer.status_code, answer.content) == (200, b"")


def test_f161_a_create_answers_with_id_and_token(platform: Platform, made: Made):
    instance = made.instance()
    assert type(instance["id"]) is int
    assert type(instance["token"]) is str


def test_f162_the_same_create_twice_makes_two(platform: Platform, made: Made):
    name = made.name()
    assert made.instance(name=name)["id"] != made.instance(name=name)["id"]


def test_f163_the_element_may_stand_in_the_path(platform: Platform, made: Made):
    key = platform.create_body["element"]["key"]
    assert made.instance(f"/elements/{key}/instances")["element"]["key"] == key


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"configuration": {}}, 400),
        ({"element": {"key": "airflow-contract-none"}, "configuration": {}}, 404),
    ],
)
def test_f165_a_create_that_lacks_its_element(platform: Platform, made: Made, body: dict, status: int):
    assert platform.call("POST", "/instances", json={"name": made.name(), **body}).status_code == status


def test_f168_configuration_reads_back_as_text(platform: Platform, made: Made):
    instance = made.instance(configuration={ENABLED: True, CALLBACK: NOWHERE})
    shown = platform.ask("GET", f"/instances/{instance['id']}")["configuration"]
    assert shown[ENABLED] == "true"
    assert all(value is None or isinstance(value, str) for value in shown.values())


def test_f169_a_password_reads_back_as_asterisks(platform: Platform, made: Made):
    login = platform.create_body["configuration"]
    if "password" not in login:
        pytest.skip("the element of this account has no password")
    shown = platform.ask("GET", f"/instances/{made.instance()['id']}")["configuration"]
    assert shown["password"] == "*" * 8
    assert shown["username"] == login["username"]


def test_f171_markup_is_taken_out_of_a_name(platform: Platform, made: Made):
    name = made.name()
    assert made.instance(name=f"<b>{name}</b>")["name"] == name


def test_f172_without_tags_the_name_is_the_tag(platform: Platform, made: Made):
    instance = made.instance()
    assert instance["tags"] == [instance["name"]]


def test_f176_the_name_is_searched(platform: Platform, made: Made):
    instance = made.instance()
    found = platform.ask("GET", "/instances", params={"searchText": instance["name"]})
    assert [row["id"] for row in found] == [instance["id"]]


def test_f177_a_row_of_the_list_holds_the_token(platform: Platform, made: Made):
    instance = made.instance()
    query = {"tags[]": instance["name"], "hydrate": "false"}
    (row,) = platform.ask("GET", "/instances", params=query)
    same = row["token"] == instance["token"]  # neither is to show when this fails
    assert same


def test_f181_patch_replaces_the_tags(platform: Platform, made: Made):
    instance = made.instance(tags=["one", "two"])
    platform.ask("PATCH", f"/instances/{instance['id']}", json={"tags": ["three"]})
    assert platform.ask("GET", f"/instances/{instance['id']}")["tags"] == ["three"]


def test_f182_patch_merges_the_configuration(platform: Platform, made: Made):
    instance = made.instance(configuration={ENABLED: True, CALLBACK: NOWHERE})
    other = f"{NOWHERE}/other"
    platform.ask("PATCH", f"/instances/{instance['id']}", json={"configuration": {CALLBACK: other}})
    shown = platform.ask("GET", f"/instances/{instance['id']}")["configuration"]
    assert (shown[ENABLED], shown[CALLBACK]) == ("true", other)


def test_f183_put_takes_what_a_read_gave(platform: Platform, made: Made):
    path = f"/instances/{made.instance()['id']}"
    whole = platform.ask("GET", path)
    assert platform.call("PUT", path, json=whole).status_code == 200


def test_f185_a_second_delete_is_404(platform: Platform, made: Made):
    path = f"/instances/{made.instance()['id']}"
    platform.ask("DELETE", path)
    assert platform.call("DELETE", path).status_code == 404


def test_f186_the_token_of_a_deleted_instance_is_401(platform: Platform, made: Made):
    instance = made.instance()
    platform.ask("DELETE", f"/instances/{instance['id']}")
    assert platform.call("GET", "/objects", token=instance["token"]).status_code == 401


def test_f187_a_disabled_instance_is_403_but_for_its_objects(platform: Platform, made: Made):
    instance = made.instance()
    path, token = f"/instances/{instance['id']}/enabled", instance["token"]
    platform.ask("DELETE", path)
    assert platform.call("GET", "/ping", token=token).status_code == 403  # F45
    assert platform.call("GET", "/objects", token=token).status_code == 200
    platform.ask("PUT", path)
    assert platform.call("GET", "/ping", token=token).status_code == 200


def test_f189_a_row_of_the_configuration_is_patched_by_its_number(platform: Platform, made: Made):
    path = f"/instances/{made.instance()['id']}/configuration"
    (row,) = [row for row in platform.ask("GET", path) if row["key"] == ENABLED]
    assert type(row["id"]) is int
    platform.ask("PATCH", f"{path}/{row['id']}", json={"propertyValue": "true"})
    assert platform.ask("GET", f"{path}/{row['id']}")["propertyValue"] == "true"


def test_f209_a_callback_makes_a_subscription(platform: Platform, made: Made):
    url = f"{NOWHERE}/{made.name()}"
    instance = made.instance(configuration={ENABLED: True, CALLBACK: url})
    rows = (row for page in platform.pages("/notifications/subscriptions") for row in page.json())
    (topics,) = [row["topics"] for row in rows if (row.get("config") or {}).get("url") == url]
    assert topics == [f"instance-{instance['id']}-{instance['element']['key']}-events"]  # F253


def test_f213_a_vendor_needs_no_authorization(platform: Platform, made: Made):
    instance = made.instance()
    number = base64.b64encode(str(instance["id"]).encode()).decode()
    answer = platform.call(
        "POST",
        f"/events/{instance['element']['key']}/{number}",
        words=None,
        json={"objectType": "leads", "objectId": "1", "eventType": "CREATED"},
    )
    assert answer.status_code == 200  # F222


def test_f259_a_notification_wants_a_topic(platform: Platform, made: Made):
    body = {"severity": "low", "message": "contract", "from": "contract"}
    assert platform.call("POST", "/notifications", json=body).status_code == 400
    shown = platform.ask("POST", "/notifications", json={**body, "topic": made.name()})
    made.later(f"/notifications/{shown['id']}")
    assert type(shown["id"]) is int  # F262
    assert shown["acknowledged"] is False
    assert {"createdDate", "active", "severity"} <= shown.keys()


def test_f262_a_delivery_is_there_as_soon_as_its_notification(platform: Platform, made: Made):
    topic = made.name()
    body = {"channel": "webhook", "topics": [topic], "config": {"url": NOWHERE}}
    subscription = platform.ask("POST", "/notifications/subscriptions", json=body)
    made.later(f"/notifications/subscriptions/{subscription['id']}")
    note = {"severity": "low", "topic": topic, "message": "contract", "from": "contract"}
    notification = platform.ask("POST", "/notifications", json=note)
    made.later(f"/notifications/{notification['id']}")
    rows = platform.ask("GET", f"/notifications/{notification['id']}/subscriptions/deliveries")
    assert [row["subscriptionId"] for row in rows] == [subscription["id"]]
    assert rows[0]["status"] in ("created", "delivered", "notified", "retry", "queued")  # F263


def test_f289_a_disposition_tells_of_its_notification(platform: Platform, made: Made):
    if platform.sandbox is not None:
        instance = made.instance(configuration={ENABLED: True, CALLBACK: NOWHERE})
        platform.sandbox.emit(instance["id"])
    rows = platform.ask("GET", "/instances/events/dispositions", params={"pageSize": 20})
    if not rows:
        pytest.skip("this account has no events")
    assert all("notificationData" in row for row in rows)


# --- through it


def test_f321_the_hub_does_not_matter(platform: Platform, made: Made):
    token = made.instance()["token"]
    assert platform.call("GET", "/ping", token=token).status_code == 200
    assert platform.call("GET", "/hubs/contract/ping", token=token).status_code == 200


def test_f322_the_answer_names_the_instance(platform: Platform, made: Made):
    instance = made.instance()
    answer = platform.call("GET", "/ping", token=instance["token"])
    assert answer.headers["Elements-Element-Instance-Id"] == str(instance["id"])


def test_f326_objects_tell_their_origin(platform: Platform, made: Made):
    token = made.instance()["token"]
    names = platform.ask("GET", "/objects", token=token)
    assert names
    assert all(isinstance(name, str) for name in names)
    rows = platform.ask("GET", "/objects", token=token, headers={"Elements-Version": "Helium"})
    assert rows
    assert all(row.keys() == {"name", "vendorName", "type"} for row in rows)


def test_f327_ping_tells_date_and_endpoint(platform: Platform, made: Made):
    found = platform.ask("GET", "/ping", token=made.instance()["token"])
    assert {"dateTime", "endpoint"} <= found.keys()


def test_f330_ping_of_some_elements_says_valid(platform: Platform, made: Made):
    if platform.sandbox is not None:
        configuration = {
            "oauth.api.key": "contract-app",
            "oauth.api.secret": "contract-secret",
            "oauth.callback.url": "https://app.invalid/callback",
        }
        code = {"code": platform.sandbox.code("sfdc")}
        instance = made.instance(element={"key": "sfdc"}, configuration=configuration, providerData=code)
    else:
        instance = made.instance()
    if instance["element"]["key"] not in ("sfdc", "zendesk", "box"):
        pytest.skip("the element of this account is none of these")
    assert platform.ask("GET", "/ping", token=instance["token"]).get("valid") is True
