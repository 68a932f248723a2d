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
    ("element", "name", "made"),
    [
        ("microsoftgraph", "events", "createdDateTime"),
        ("sfdc", "accounts", "CreatedDate"),
        ("closeio", "leads", "date_created"),
        ("pipedrive", "deals", "add_time"),
        ("microsoftgraph", "calendars/AAMk-calendar-2/events", "createdDateTime"),
        ("closeio", "accounts/lead_000000000001/notes", "date_created"),
    ],
)
def test_records_are_made_read_changed_and_deleted(api, element, name, made):
    token = api.create(element)["token"]
    record = api("POST", f"/{name}", token=token, json={"subject": "New"}).json()
    path = f"/{name}/{record['id']}"
    assert api("GET", path, token=token).json() == record
    changed = api("PATCH", path, token=token, json={"more": 1}).json()
    assert changed.items() >= {"subject": "New", "more": 1, "id": record["id"], made: record[made]}.items()
    replaced = api("PUT", path, token=token, json={"only": 2}).json()
    assert replaced.items() >= {"only": 2, "id": record["id"], made: record[made]}.items()
    assert "subject" not in replaced
    assert "more" not in replaced
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


@pytest.mark.parametrize("path", ["/calendars", "/persons", "/leads/1/notes", "/x/y/z/u/v", "/accounts/1/x"])
def test_what_is_not_emulated_never_says_nothing_was_found(api, path):
    message = api.refused(api("GET", path, token=api.create()["token"]), 404)["message"]
    assert "does not emulate" in message
    assert "found" not in message


def test_records_below_a_record(api):
    token = api.create("microsoftgraph")["token"]
    own = api("GET", "/events", token=token).json()
    assert api("GET", "/calendars/AAMk-calendar-1/events", token=token).json() == own
    others = api("GET", "/hubs/general/calendars/AAMk-calendar-3/events", token=token).json()
    assert not {row["id"] for row in own} & {row["id"] for row in others}
    api.refused(api("GET", "/calendars/nothing/events", token=token), 404)
    token = api.create()["token"]
    for name in ("notes", "activities"):
        rows = api("GET", f"/accounts/lead_000000000002/{name}", token=token).json()
        assert {row["lead_id"] for row in rows} == {"lead_000000000002"}
    api.refused(api("GET", "/accounts/lead_000000000002/notes"), 404)


def test_two_slashes_are_one(api):
    token = api.create()["token"]
    assert api("GET", "//leads", token=token).json() == api("GET", "/hubs//crm/leads//", token=token).json()
    assert api("GET", "//elements//keys").json() == api("GET", "/elements/keys").json()


@pytest.mark.parametrize(("element", "valid"), [("sfdc", True), ("closeio", None)])
def test_the_ping_of_some_tells_valid(api, element, valid):
    assert api("GET", "/ping", token=api.create(element)["token"]).json().get("valid") is valid


def test_an_empty_contact_of_closeio_is_refused(api):
    token = api.create()["token"]
    assert api.refused(api("POST", "/contacts", token=token, json={}), 400)["providerMessage"]
    assert api("POST", "/leads", token=token, json={}).status_code == 200


def test_nulls_are_hidden_unless_the_instance_shows_them(api):
    instance = api.create("sfdc")
    path, token = "/contacts/003000000000004AAA", instance["token"]
    api("POST", "/contacts", token=token, json={"Phone": None, "inner": {"a": None, "b": [{"c": None}]}})
    shown = api("GET", path, token=token).json()
    assert "Phone" not in shown
    assert shown["inner"] == {"b": [{}]}
    api("PATCH", f"/instances/{instance['id']}", json={"configuration": {"filter.response.nulls": False}})
    shown = api("GET", path, token=token).json()
    assert shown["Phone"] is None
    assert shown["inner"] == {"a": None, "b": [{"c": None}]}


def test_a_quote_in_a_condition_is_doubled(api):
    token = api.create("sfdc")["token"]
    api("POST", "/contacts", token=token, json={"LastName": "Churro's"})
    for where, found in (("LastName = 'Churro''s'", 1), ("LastName='x' OR LastName='Churro''s'", 1)):
        assert len(api("GET", "/contacts", token=token, params={"where": where}).json()) == found
    api.refused(api("GET", "/contacts", token=token, params={"where": "LastName = 'Churro's'"}), 400)


def test_a_million_records_in_both_ways_of_paging(api, sandbox):
    instance = api.create("sfdc")
    token = instance["token"]
    sandbox.set_records(instance["id"], "contacts", 1_000_000)

    def page(**params):
        return api("GET", "/contacts", token=token, params={"pageSize": 200, **params})

    first = page()
    assert first.headers["Elements-Total-Count"] == "1000000"
    second = page(nextPage=first.headers["Elements-Next-Page-Token"])
    assert second.json() == page(page=2).json()
    assert second.json()[0]["id"] == "003000000000201AAA"
    last = page(page=5000)
    assert last.json()[-1]["id"] == "003000001000000AAA"
    after = page(nextPage=last.headers["Elements-Next-Page-Token"])
    assert after.json() == []
    assert "Elements-Next-Page-Token" not in after.headers
    assert page(page=5001).json() == []


def test_a_resource_with_pages_by_number_alone(api, sandbox):
    sandbox.configure(record_paging="page", records=5)
    token = api.create("sfdc")["token"]
    answer = api("GET", "/leads", token=token, params={"pageSize": 5})
    assert len(answer.json()) == 5
    assert "Elements-Next-Page-Token" not in answer.headers
    assert api("GET", "/leads", token=token, params={"pageSize": 5, "page": 2}).json() == []


@pytest.mark.parametrize("params", [{"where": "LastName LIKE 'Box%'"}, {"orderBy": "LastName desc"}, {}])
def test_pages_bring_each_record_once(api, sandbox, params):
    sandbox.configure(records=23)
    token = api.create("sfdc")["token"]
    api("DELETE", "/contacts/003000000000007AAA", token=token)

    def pages(following):
        found, query = [], {}
        for number in range(2, 12):
            answer = api("GET", "/contacts", token=token, params={"pageSize": 4, **params, **query})
            if not answer.json():
                return found
            found += [row["LastName"] for row in answer.json()]
            query = following(answer, number)
        raise AssertionError("the pages have no end")

    by_token = pages(
        lambda answer, _: (
            {"nextPage": answer.headers.get("Elements-Next-Page-Token", "none")}
            if "Elements-Next-Page-Token" in answer.headers
            else {"page": 99}
        )
    )
    by_number = pages(lambda _, number: {"page": number})
    assert by_token == by_number
    assert sorted(by_token) == sorted(f"Box {number}" for number in range(1, 24) if number != 7)


def test_the_fields_of_a_resource(api):
    token = api.create("sfdc")["token"]
    fields = api("GET", "/objects/contacts/metadata", token=token).json()["fields"]
    rows = {row["vendorPath"]: row for row in fields}
    assert rows["IsDeleted"]["type"] == "boolean"
    assert rows["LastName"]["createable"] is True
    assert rows["id"]["vendorReadOnly"] is True
    assert rows["CreatedDate"]["mask"] == "yyyy-MM-dd'T'HH:mm:ss.SSSZ"
    assert api("GET", "/hubs/crm/objects/Contact/metadata", token=token).json()["fields"] == fields
    api.refused(api("GET", "/objects/nothing/metadata", token=token), 404)


def test_the_vendors_own_name_of_a_resource(api):
    token = api.create("sfdc")["token"]
    api("POST", "/Contact", token=token, json={"LastName": "New"})
    assert api("GET", "/contacts", token=token).json()[3]["LastName"] == "New"


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
