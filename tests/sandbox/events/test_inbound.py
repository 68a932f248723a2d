"""Vendors' calls to /events: facts F213 to F224."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.api import CONFIGURATIONS, encoded
from tests.support.fuzzing import RELAXED, VALUES

LEAD = {"objectType": "leads", "objectId": "5", "eventType": "CREATED"}


def changes(event):
    (notified,) = event["notifiedData"]
    return notified["message"]["events"]


def told(api, sandbox, path, body=None, **options):
    """Send something to an instance that somebody listens to; return the objects that are told of."""
    answer = api.vendor(path, body, **options)
    assert answer.status_code == 200, answer.text
    return changes(api.events()[0])


@pytest.fixture
def instance_id(api, sandbox):
    # Nothing is sent there; that somebody subscribes makes notifications, which say how it was understood.
    return api.listening(callback="https://app.example/events")


def test_an_event_without_authorization(api, sandbox, instance_id):
    answer = api.vendor(f"closeio/{encoded(instance_id)}", LEAD)
    assert (answer.status_code, answer.content) == (200, b"")
    (event,) = api.events()
    assert json.loads(event["providerData"]) == LEAD
    assert sandbox.event_counters() == {"accepted": 1, "dropped": {}, "kept": 1, "visible": 1}


def test_the_id_in_base64_of_any_alphabet_with_or_without_padding(api, instance_id):
    text = encoded(instance_id)
    for part in (text, text.rstrip("="), text.replace("=", "%3D")):
        api.vendor(f"closeio/{part}", LEAD)
    assert len(api.events()) == 3


def test_a_header_names_several_instances(api, sandbox):
    one, two, other = api.listening("sfdc"), api.listening("sfdc"), api.listening("sfdc")
    api.vendor("sfdc", LEAD, headers={"Element-Instances": f"{one}, {two},{one}"})
    (event,) = api.events()
    assert [row["elementInstanceId"] for row in event["eventElementInstances"]] == [one, two]
    assert api.events(one) == api.events(two) == [event]
    assert api.events(other) == []
    api.refused(api("GET", f"/instances/{other}/events/{event['id']}"), 404)


@pytest.mark.parametrize("field", ["instance_id", "instanceId"])
def test_a_field_names_the_instance(api, instance_id, field):
    for value in (instance_id, str(instance_id)):
        api.vendor("closeio", {**LEAD, field: value})
    api.vendor(f"closeio?{field}={instance_id}", LEAD)
    assert len(api.events(instance_id)) == 3


def test_the_platforms_own_poller(api, sandbox):
    number = api.listening("sfdc", callback="https://app.example/events")
    records = [
        {"id": "1", "createdDate": "2026-01-01T00:00:00Z", "updatedDate": "2026-01-01T00:00:00Z"},
        {"id": 2, "createdDate": "2026-01-01T00:00:00Z", "updatedDate": "2026-01-02T00:00:00Z"},
        {"id": "3"},
        {"id": "4", "eventType": "deleted"},
        "text",
    ]
    body = {"leads": records, "objectType": "leads", "pollDate": 1767225600000, "instance_id": number}
    rows = told(api, sandbox, "sfdcPolling", body, headers={"Id": str(number)})
    assert [(row["objectId"], row["eventType"]) for row in rows] == [
        ("1", "CREATED"),
        ("2", "UPDATED"),
        ("3", "UNKNOWN"),
        ("4", "DELETED"),
        ("", "UNKNOWN"),
    ]
    assert rows[1]["date"] == "2026-01-02T00:00:00Z"
    assert all(row["pollDate"].endswith("Z") for row in rows)
    # The field alone does as well.
    api.vendor("sfdcPolling", body)
    assert len(api.events(number)) == 2


def test_microsoft_graphs_own_notification(api, sandbox):
    number = api.listening("microsoftgraph", callback="https://app.example/events")
    value = [
        {
            "subscriptionId": "7f105c7d-2dc5-4530-97cd-4e7ae6534c07",
            "changeType": change,
            "resource": "Users/ada/Events/AAMk=1",
            "resourceData": {"@odata.type": "#Microsoft.Graph.Event", "id": "AAMk=1"},
            "clientState": "secret",
        }
        for change in ("created", "updated", "deleted", "missed")
    ]
    bare = {"changeType": "updated", "resource": "me/contacts/AAMk=2"}
    rows = told(api, sandbox, f"microsoftgraph/{encoded(number)}", {"value": [*value, bare]})
    assert [(row["objectType"], row["objectId"], row["eventType"]) for row in rows] == [
        ("events", "AAMk=1", "CREATED"),
        ("events", "AAMk=1", "UPDATED"),
        ("events", "AAMk=1", "DELETED"),
        ("events", "AAMk=1", "UNKNOWN"),
        ("contacts", "AAMk=2", "UPDATED"),
    ]
    assert api.events()[0]["notifiedData"][0]["message"]["raw"]["value"][0]["clientState"] == "secret"


def test_microsoft_graph_tries_the_address_out(api, sandbox):
    answer = api.vendor(
        "microsoftgraph?validationToken=Validation%3A+a%2Bb%26c", headers={"Accept": "text/plain"}
    )
    assert (answer.status_code, answer.text) == (200, "Validation: a+b&c")
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert sandbox.event_counters()["accepted"] == 0


def test_plain_forms(api, sandbox, instance_id):
    path = f"closeio/{encoded(instance_id)}"
    hook = {
        "event_date": "2026-03-01T12:00:00+02:00",
        "event_object_id": 7,
        "event_type": "Deleted",
        "event_object_type": "contacts",
    }
    rows = told(api, sandbox, path, [LEAD, hook, {"anything": 1}, 5])
    assert [(row["objectType"], row["objectId"], row["eventType"]) for row in rows] == [
        ("leads", "5", "CREATED"),
        ("contacts", "7", "DELETED"),
        ("unknown", "", "UNKNOWN"),
        ("unknown", "", "UNKNOWN"),
    ]
    assert rows[1]["date"] == "2026-03-01T10:00:00Z"
    assert rows[0].keys() == {"date", "elementKey", "eventType", "hubKey", "objectId", "objectType"}
    assert (rows[0]["elementKey"], rows[0]["hubKey"]) == ("closeio", "crm")


def test_forms_and_queries(api, sandbox, instance_id):
    path = f"closeio/{encoded(instance_id)}"
    expected = ("leads", "5", "CREATED")
    for answer in (
        api.vendor(path, data=LEAD),
        api.vendor(path, method="GET", params=LEAD),
        api.vendor("closeio", method="GET", params={**LEAD, "instance_id": instance_id}),
        api.vendor("closeio", data={**LEAD, "instance_id": instance_id}),
        api.vendor(path, data=json.dumps(LEAD), headers={"Content-Type": "text/plain"}),
        api.vendor(path, data=json.dumps(LEAD)),
    ):
        assert answer.status_code == 200
    events = api.events()
    assert len(events) == 6
    for event in events:
        (row,) = changes(event)
        assert (row["objectType"], row["objectId"], row["eventType"]) == expected
        assert json.loads(event["providerData"])["objectId"] == "5"


def test_what_nobody_takes_is_200_and_counted(api, sandbox, instance_id):
    off = api.create()["id"]
    disabled = api.listening()
    sandbox.set_instance(disabled, disabled=True)
    graph = api.listening("microsoftgraph")
    for path in (
        f"closeio/{encoded(off)}",
        f"closeio/{encoded(disabled)}",
        f"closeio/{encoded(graph)}",
        f"closeio/{encoded(1)}",
        f"closeio/{encoded('x')}",
        "closeio/****",
        "closeio",
    ):
        assert api.vendor(path, LEAD).status_code == 200
    assert api.events() == []
    assert sandbox.event_counters()["dropped"] == {
        "events_off": 1,
        "instance_disabled": 1,
        "no_instance_named": 1,
        "unknown_instance": 4,
    }


def test_an_unknown_element_is_404(api):
    for path in ("nothing", "nothingPolling", "nothing/NDE="):
        api.refused(api.vendor(path, LEAD), 404)
        api.refused(api.vendor(path, method="GET"), 404)


def test_the_resource_called_events_has_its_place_beside_it(api):
    token = api.create("microsoftgraph")["token"]
    for path in ("/events", "/hubs/general/events"):
        (record, *_) = api("GET", path, token=token).json()
        assert api("GET", f"{path}/{record['id']}", token=token).json() == record
        changed = api("PATCH", f"{path}/{record['id']}", token=token, json={"subject": "x"})
        assert changed.json()["subject"] == "x"
        assert changed.headers["Elements-Element-Instance-Id"]
    assert api("PUT", f"/events/{record['id']}", token=token, json={"a": 1}).json()["a"] == 1
    assert api("DELETE", f"/events/{record['id']}", token=token).status_code == 200
    api.refused(api("GET", f"/events/{record['id']}", token=token), 404)
    api.refused(api("GET", f"/events/{record['id']}", token="wrong"), 401)
    api.refused(api("PATCH", f"/events/{record['id']}", json={}), 401)


def test_a_body_over_8_mb_is_dropped_in_silence(api, sandbox, instance_id):
    big = json.dumps({**LEAD, "text": "x" * (8 * 1024 * 1024)})
    answer = api.vendor(f"closeio/{encoded(instance_id)}", data=big)
    assert (answer.status_code, answer.content) == (200, b"")
    just = json.dumps({**LEAD, "text": "x" * (8 * 1024 * 1024 - 200)})
    assert api.vendor(f"closeio/{encoded(instance_id)}", data=just).status_code == 200
    many = json.dumps([{}] * 10_001)
    assert api.vendor(f"closeio/{encoded(instance_id)}", data=many).status_code == 200
    assert sandbox.event_counters() == {"accepted": 1, "dropped": {"too_big": 2}, "kept": 1, "visible": 1}
    # A call of the API is still reported.
    token = api.create("microsoftgraph")["token"]
    api.refused(api("PATCH", "/events/1", token=token, data=big), 429)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b" ",
        b"{",
        b'{"objectType": "lea',
        b"\xff\xfe{\x00}\x00",
        b"\x80",
        b"[" * 100_000,
        b"[" * 500 + b"]" * 500,
        b'{"a":' * 150 + b"1" + b"}" * 150,
        b'{"a": NaN}',
        b'{"a": 1e999}',
        b"1" * 5000,
        b"not json",
    ],
)
def test_what_is_no_json_is_400_and_no_event(api, sandbox, instance_id, content):
    api.refused(api.vendor(f"closeio/{encoded(instance_id)}", data=content), 400)
    assert sandbox.event_counters()["accepted"] == 0


@pytest.mark.parametrize(
    "content",
    [
        b"null",
        b"0",
        b'"x"',
        b"[]",
        b"{}",
        b'{"value": null}',
        b'{"value": [null, 1, {"resourceData": 5, "resource": {}}]}',
        b'{"objectType": {}, "objectId": [], "eventType": 5, "date": {}}',
        b'{"objectType": "\\ud800", "objectId": "\\u0000", "date": "0001-01-01T00:00:00+14:00"}',
        b'{"leads": {}, "objectType": "leads"}',
        b'{"leads": [], "objectType": "leads", "instance_id": true}',
        b"[" * 90 + b"]" * 90,
    ],
)
@pytest.mark.parametrize("element", ["closeio", "microsoftgraph"])
def test_odd_json_is_an_event_all_the_same(api, sandbox, content, element):
    number = api.listening(element, callback="https://app.example/events")
    for form in ("message", "response"):
        sandbox.configure(notification_form=form)
        for path, headers in (
            (f"{element}/{encoded(number)}", {}),
            (f"{element}Polling", {"Id": str(number)}),
        ):
            assert api.vendor(path, data=content, headers=headers).status_code == 200
    events = api.events()
    assert len(events) == 4
    assert all(event["providerData"] == content.decode() for event in events)
    assert all(changes(event) for event in events)


@RELAXED
@given(
    body=VALUES
    | st.dictionaries(
        st.sampled_from(
            ["objectType", "objectId", "eventType", "date", "value", "leads", "resourceData", "resource"]
        ),
        VALUES | st.just("leads") | st.lists(st.dictionaries(st.sampled_from(["id", "resource"]), VALUES)),
    ),
    element=st.sampled_from(["closeio", "microsoftgraph", "closeioPolling", "microsoftgraphPolling"]),
)
def test_fuzz_of_bodies(api, sandbox, body, element):
    plain = element.removesuffix("Polling")
    rows = [row for row in sandbox.instances() if row["element"] == plain]
    number = rows[0]["id"] if rows else api.listening(plain, callback="https://app.example/events")
    answer = api.vendor(element, data=json.dumps(body), headers={"Id": str(number)})
    assert answer.status_code == 200, answer.text
    event = api("GET", f"/instances/{number}/events").json()[0]
    assert all(set(row) >= {"objectId", "objectType", "eventType", "date"} for row in changes(event))
    assert (
        api("GET", "/notifications", params={"topics[]": f"instance-{number}-{plain}-events"}).status_code
        == 200
    )


@RELAXED
@given(
    content=st.binary(max_size=80),
    kind=st.sampled_from(
        ["application/json", "application/x-www-form-urlencoded", "text/xml", "", ";", "\xe9"]
    ),
    path=st.sampled_from(["closeio", "closeioPolling", "microsoftgraph", "zendesk"]),
    last=st.sampled_from(["", "/NDEwMDAx", "/%00", "/%FF", "/=", "/" + "A" * 300, "/a/b"]),
    method=st.sampled_from(["POST", "GET", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]),
    headers=st.dictionaries(
        st.sampled_from(["Element-Instances", "Id"]),
        st.sampled_from(["", ",", "1", "410001,x", "9" * 400, "-1", "٣"]),
    ),
    query=st.text(max_size=20),
)
def test_fuzz_of_calls(api, content, kind, path, last, method, headers, query):
    headers = {name: value.encode() for name, value in headers.items()}
    answer = api.vendor(
        path + last,
        method=method,
        data=content,
        params=query,
        headers={**headers, "Content-Type": kind.encode("latin-1")},
    )
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400 and method != "HEAD":
        api.refused(answer, answer.status_code)


def test_the_log_names_no_instance_in_base64(api, sandbox, instance_id):
    api.vendor(f"closeio/{encoded(instance_id)}?validationToken=x", LEAD)
    entry = sandbox.requests()[-1]
    assert (entry["path"], entry["query"]) == ("/events/closeio/*", ["*"])
    assert CONFIGURATIONS["closeio"]["password"] not in json.dumps(sandbox.requests())
    assert base64.b64decode(encoded(instance_id)) == str(instance_id).encode()
