"""Bulk uploads over HTTP: facts F370, F372, F375."""

import json

import pytest

from tests.support.patience import wait_for


def last_names(bulk):
    return [row.get("LastName") for row in bulk("GET", "/contacts").json()]


def test_rows_become_records(bulk):
    job = bulk.upload("contacts", 'LastName,Note\n"One, two","a\nb"\nThree,\n')
    assert job == {"id": job["id"], "instanceId": bulk.id, "status": "CREATED"}
    assert isinstance(job["id"], str)
    status = bulk.status(job)
    assert (status["status"], status["recordsCount"], status["recordsFailedCount"]) == ("COMPLETED", 2, 0)
    assert last_names(bulk) == ["Box 1", "Box 2", "Box 3", "One, two", "Three"]
    assert bulk("GET", "/contacts").json()[3]["Note"] == "a\nb"


@pytest.mark.parametrize("field", ["identifierFieldName", "primaryKeyName"])
def test_rows_change_the_records_that_they_name(bulk, field):
    rows = "Email,LastName\nsandy2@example.com,Two\nnew@example.com,New\n,None\nnew@example.com,Newer\n"
    job = bulk.upload("contacts", rows, json.dumps({field: "Email"}))
    assert last_names(bulk) == ["Box 1", "Two", "Box 3", "Newer"]
    assert bulk.status(job)["recordsFailedCount"] == 1
    assert bulk("GET", f"/bulk/{job['id']}/errors").json() == ["Row 3: The field Email is empty"]


def test_a_record_is_named_by_its_id(bulk):
    bulk.upload("contacts", "id,LastName\n003000000000001AAA,One\n", '{"identifierFieldName": "id"}')
    assert last_names(bulk) == ["One", "Box 2", "Box 3"]


def test_json_lines(bulk):
    lines = '{"LastName": "A", "n": 1}\n\nno\n[1]\n{"LastName": "B"}'
    job = bulk.upload("contacts", lines, '{"format": "json"}')
    assert last_names(bulk)[3:] == ["A", "B"]
    assert bulk.status(job)["recordsCount"] == 4
    errors = bulk("GET", f"/bulk/{job['id']}/errors", params={"pageSize": 1})
    assert errors.json() == ["Row 2: The line is no JSON object"]
    token = errors.headers["Elements-Next-Page-Token"]
    more = bulk("GET", f"/bulk/{job['id']}/errors", params={"nextPage": token})
    assert more.json() == ["Row 3: The line is no JSON object"]
    assert "Elements-Next-Page-Token" not in more.headers


def test_a_line_with_other_values_than_names(bulk):
    job = bulk.upload("contacts", "a,b\n1\n1,2\n1,2,3\n")
    assert bulk.status(job)["recordsFailedCount"] == 2


def test_an_unknown_object_has_one_error_a_row(bulk):
    job = bulk.upload("nothing", "a\n1\n2\n")
    status = bulk.status(job)
    assert (status["status"], status["recordsCount"], status["recordsFailedCount"]) == ("COMPLETED", 2, 2)
    assert len(bulk("GET", f"/bulk/{job['id']}/errors").json()) == 2


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"json": {}}, 415),
        ({"data": b"x", "headers": {"Content-Type": "multipart/form-data; boundary=b"}}, 400),
        ({"data": b"--b\r\nx", "headers": {"Content-Type": "multipart/form-data; boundary=b"}}, 400),
        ({"data": b"x", "headers": {"Content-Type": "multipart/form-data"}}, 415),
        ({"files": {"other": ("a", b"b")}}, 400),
        ({"files": {"file": ("a", b"b"), "metaData": (None, "no")}}, 400),
        ({"files": {"file": ("a", b"b"), "metaData": (None, '{"format": "xml"}')}}, 400),
        ({"files": {"file": ("a", b"b"), "metaData": (None, '{"identifierFieldName": 1}')}}, 400),
    ],
)
def test_bodies_that_are_refused(bulk, options, status):
    bulk.api.refused(bulk("POST", "/bulk/contacts", **options), status)
    assert len(last_names(bulk)) == 3


def test_a_file_may_be_larger_than_other_bodies(bulk):
    big = "LastName\n" + ("x" * 999 + "\n") * 9_000
    job = bulk.upload("leads", big)
    wait_for(lambda: bulk.status(job)["status"] == "COMPLETED")
    assert bulk.status(job)["recordsCount"] == 9_000
    assert bulk("GET", "/leads").headers["Elements-Total-Count"] == "9003"


def test_without_a_token_nothing_is_done(bulk):
    bulk.api.refused(bulk.api("POST", "/bulk/contacts", files={"file": ("a", b"LastName\nx\n")}), 401)
    assert len(last_names(bulk)) == 3
