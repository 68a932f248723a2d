"""Bulk downloads over HTTP: facts F361 to F374."""

import csv
import io
import json

import pytest


def rows(answer):
    return list(csv.DictReader(io.StringIO(answer.text, newline="")))


def names(answer):
    return [json.loads(line)["LastName"] for line in answer.text.splitlines()]


def test_a_query_of_v2(bulk):
    job = bulk.query()
    assert set(job) == {"id", "status"}
    assert job["status"] == "CREATED"
    status = bulk.status(job)
    assert (status["status"], status["recordsCount"], status["recordsFailedCount"]) == ("COMPLETED", 3, 0)
    answer = bulk.result(job)
    assert answer.headers["Content-Type"] == "text/csv"
    assert [row["LastName"] for row in rows(answer)] == ["Box 1", "Box 2", "Box 3"]
    assert answer.headers["Elements-Element-Instance-Id"] == str(bulk.id)
    answer = bulk.result(job, "application/json")
    assert answer.headers["Content-Type"] == "application/json"
    assert names(answer) == ["Box 1", "Box 2", "Box 3"]
    assert bulk("GET", f"/hubs/crm/bulk/{job['id']}/contacts", headers={"Accept": "text/csv"}).text


def test_a_download_of_v3(bulk):
    job = bulk.download(
        format="application/jsonl", where="LastName != 'Box 2'", selectFields="LastName, Phone"
    )
    assert job == {"id": job["id"], "instance_id": bulk.id, "status": "CREATED"}
    assert isinstance(job["id"], str)
    status = bulk.status(job)
    assert (status["jobStatus"], status["recordCount"], status["errorCount"]) == ("COMPLETED", 2, 0)
    assert (status["objectName"], status["jobDirection"], status["fileFormat"]) == (
        "contacts",
        "DOWNLOAD",
        "JSONL",
    )
    assert status["completionTime"] >= status["createdDate"] > 1_700_000_000_000
    answer = bulk.result(job, "application/jsonl")
    assert answer.headers["Content-Type"] == "application/jsonl"
    assert [json.loads(line) for line in answer.text.splitlines()] == [
        {"LastName": "Box 1", "Phone": "+1 617 000000001"},
        {"LastName": "Box 3", "Phone": "+1 617 000000003"},
    ]


def test_nulls_of_v3(bulk):
    bulk("PATCH", "/contacts/003000000000001AAA", json={"Phone": None})
    for filtered in (True, False):
        job = bulk.download(format="application/json", filterNulls=filtered)
        first = json.loads(bulk.result(job, "application/json").text.splitlines()[0])
        assert ("Phone" in first) is not filtered


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"objectName": None}, "objectName"),
        ({"format": None}, "format"),
        ({"format": "text/plain"}, "format"),
        ({"where": "no"}, "condition"),
        ({"where": 5}, "where"),
        ({"limit": "x"}, "limit"),
        ({"from": "yesterday"}, "from"),
        ({"filterNulls": "x"}, "filterNulls"),
        ({"continueFromJobId": 1}, "continueFromJobId"),
        ({"query": "select * from leads"}, "objectName"),
    ],
)
def test_what_v3_refuses(bulk, body, word):
    answer = bulk("POST", "/bulk/download", json={"objectName": "contacts", "format": "txt/csv", **body})
    assert word in bulk.api.refused(answer, 400)["message"]


@pytest.mark.parametrize(
    "q", ["", "select", "select * from", "drop table x", "select * from a b", "select 1;"]
)
def test_a_malformed_query_is_400(bulk, q):
    bulk.api.refused(bulk("POST", "/bulk/query", params={"q": q}), 400)


@pytest.mark.parametrize(
    ("q", "params", "found"),
    [
        ("select * from contacts where LastName = 'Box 2'", {}, ["Box 2"]),
        ("SELECT LastName FROM contacts WHERE LastName LIKE '%from%' OR LastName = 'Box 1'", {}, ["Box 1"]),
        ("select * from contacts limit 2", {}, ["Box 1", "Box 2"]),
        ("select * from contacts where LastName != 'Box 1' limit 1", {}, ["Box 2"]),
        ("select * from contacts", {"from": "2025-01-03T00:00:00Z"}, ["Box 2", "Box 3"]),
        ("select * from contacts", {"lastRunDate": "2025-01-04T00:00:00Z"}, ["Box 3"]),
        ("select * from contacts", {"to": "2025-01-03T00:00:00Z"}, ["Box 1"]),
    ],
)
def test_what_a_query_finds(bulk, q, params, found):
    assert names(bulk.result(bulk.query(q, **params), "application/json")) == found


def test_a_job_goes_on_where_another_ended(bulk):
    first = bulk.query("select * from contacts limit 2")
    second = bulk.query(None, continueFromJobId=first["id"])
    third = bulk.query(None, continueFromJobId=second["id"])
    found = [names(bulk.result(job, "application/json")) for job in (first, second, third)]
    assert found == [["Box 1", "Box 2"], ["Box 3"], []]


def test_a_result_stays_as_it_was_at_the_start(bulk):
    job = bulk.query()
    bulk("DELETE", "/contacts/003000000000001AAA")
    bulk("POST", "/contacts", json={"LastName": "New"})
    assert names(bulk.result(job, "application/json")) == ["Box 1", "Box 2", "Box 3"]
    assert names(bulk.result(bulk.query(), "application/json")) == ["Box 2", "Box 3", "New"]


@pytest.mark.parametrize(
    ("form", "accept", "status"),
    [
        ("csv", "text/csv", 200),
        ("csv", "*/*", 200),
        ("csv", "application/json", 400),
        ("application/json", "application/json, text/plain", 200),
        ("json", "text/csv", 400),
        ("application/jsonl", "application/json", 400),
        (None, "text/plain", 400),
    ],
)
def test_the_format_and_what_is_accepted(bulk, form, accept, status):
    job = bulk.query(**({} if form is None else {"fileFormat": form}))
    answer = bulk.result(job, accept)
    assert answer.status_code == status
    if status == 400:
        assert "Accept" in bulk.api.refused(answer, 400)["message"]


def test_states_follow_each_other_and_a_result_has_to_wait(bulk, sandbox):
    sandbox.configure(bulk_duration=1000)
    job = bulk.query()
    assert bulk.status(job)["status"] == "CREATED"
    bulk.api.refused(bulk.result(job), 400)
    sandbox.configure(bulk_duration=0)
    assert bulk.status(job)["status"] == "COMPLETED"
    assert bulk.result(job).status_code == 200
    sandbox.configure(bulk_retention=0)
    assert "kept" in bulk.api.refused(bulk.result(job), 404)["message"]


def test_cancelling(bulk, sandbox):
    ended = bulk.query()
    assert bulk("PUT", f"/bulk/{ended['id']}/cancel").json()["status"] == "COMPLETED"
    sandbox.configure(bulk_duration=1000)
    two, three = bulk.query(), bulk.download()
    assert bulk("PUT", f"/bulk/{two['id']}/cancel").json()["status"] == "CANCELLED"
    assert bulk("PUT", f"/bulk/{three['id']}/cancel").json()["jobStatus"] == "CANCELED"
    bulk.api.refused(bulk.result(two), 400)


def test_the_list_of_jobs(bulk):
    jobs = [int(bulk.download()["id"]) for _ in range(3)]
    bulk.query("select * from leads where Status = 'x'")
    bulk.upload("accounts", "Name\nA\n")
    answer = bulk("GET", "/bulk/jobs", params={"where": "object_name='contacts' AND job_status='COMPLETED'"})
    assert [row["id"] for row in answer.json()] == jobs[::-1]
    row = answer.json()[0]
    assert (row["job_direction"], row["record_count"], row["status"]) == ("DOWNLOAD", 3, "COMPLETED")
    assert (row["fileFormat"], row["instanceId"]) == ("CSV", bulk.id)
    page = bulk("GET", "/bulk/jobs", params={"pageSize": 2, "fields": "id,object_name"})
    assert [row["object_name"] for row in page.json()] == ["accounts", "leads"]
    token = page.headers["Elements-Next-Page-Token"]
    rest = bulk("GET", "/bulk/jobs", params={"nextPage": token})
    assert [row["id"] for row in rest.json()] == jobs[::-1]
    up = bulk("GET", "/bulk/jobs", params={"where": "job_direction = 'UPLOAD' AND record_count = 1"}).json()
    assert len(up) == 1


def test_a_download_of_an_unknown_object_ends_with_an_error(bulk):
    job = bulk.query("select * from nothing")
    assert bulk.status(job)["status"] == "ERROR"
    assert bulk("GET", f"/bulk/{job['id']}/errors").json() == ["The object is unknown"]
    bulk.api.refused(bulk("GET", f"/bulk/{job['id']}/nothing"), 400)


def test_jobs_of_others_and_other_objects(bulk):
    job = bulk.query()
    other = bulk.api.create("sfdc")["token"]
    for path in (f"/bulk/{job['id']}/status", "/bulk/1/status", "/bulk/x/status"):
        token = other if str(job["id"]) in path else bulk.token
        bulk.api.refused(bulk.api("GET", path, token=token), 404)
    answer = bulk("GET", f"/bulk/{job['id']}/leads")
    assert "found" not in bulk.api.refused(answer, 404)["message"]


def test_what_is_not_emulated_says_so(bulk):
    for method, path in (("GET", "/bulk"), ("DELETE", "/bulk/5"), ("GET", "/bulk/5/contacts/more")):
        answer = bulk(method, path)
        assert answer.status_code in (404, 405)
        assert "found" not in answer.json()["message"]
    answer = bulk(
        "POST", "/bulk/query?q=select * from contacts", headers={"Elements-Schedule-Request": "0 0 * * *"}
    )
    assert "does not emulate" in bulk.api.refused(answer, 404)["message"]
