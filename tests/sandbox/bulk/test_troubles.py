"""What goes wrong with bulk jobs on demand: parts of a result, cuts, and plans for jobs."""

import time

import pytest
import requests

from tests.support.patience import wait_for


def read(answer):
    """Return what came of a streamed answer, and whether it broke off."""
    got = b""
    try:
        for chunk in answer.iter_content(1024):
            got += chunk
    except requests.exceptions.RequestException:
        return got, True
    return got, False


@pytest.fixture
def job(bulk, sandbox):
    sandbox.set_records(bulk.id, "contacts", 2_000)
    return bulk.query()


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ("bytes=0-9", slice(0, 10)),
        ("bytes=100000-", slice(100_000, None)),
        ("bytes=-20", slice(-20, None)),
        ("bytes=5-99999999", slice(5, None)),
    ],
)
def test_a_part_of_a_result(bulk, job, asked, part):
    whole = bulk.result(job).content
    answer = bulk.result(job, Range=asked)
    assert answer.status_code == 206
    assert answer.content == whole[part]
    begin, end, _ = part.indices(len(whole))
    assert answer.headers["Content-Range"] == f"bytes {begin}-{end - 1}/{len(whole)}"
    assert answer.headers["Content-Length"] == str(end - begin)


@pytest.mark.parametrize("asked", ["bytes=0-1,3-4", "bytes=-", "lines=0-1", "bytes=a-b"])
def test_what_is_no_range_brings_all(bulk, job, asked):
    assert bulk.result(job, Range=asked).status_code == 200


def test_a_range_behind_the_end(bulk, job):
    answer = bulk.result(job, Range="bytes=99999999-")
    bulk.api.refused(answer, 416)
    assert answer.headers["Content-Range"].startswith("bytes */")


def test_a_range_of_another_result_brings_all(bulk, job):
    tag = bulk.result(job).headers["ETag"]
    assert bulk.result(job, Range="bytes=5-", **{"If-Range": tag}).status_code == 206
    assert bulk.result(job, Range="bytes=5-", **{"If-Range": '"other"'}).status_code == 200


def test_a_server_that_knows_no_ranges(bulk, job, sandbox):
    sandbox.configure(bulk_ranges="ignore")
    answer = bulk.result(job, Range="bytes=5-")
    assert answer.status_code == 200
    assert "Accept-Ranges" not in answer.headers
    assert "ETag" not in answer.headers


def test_a_server_that_forgets_a_range(bulk, job, sandbox):
    sandbox.add_fault("forget_range", path="/bulk/*/contacts")
    assert bulk.result(job, Range="bytes=5-").status_code == 200
    assert bulk.result(job, Range="bytes=5-").status_code == 206


def test_a_length_that_is_not_told(bulk, job, sandbox):
    whole = bulk.result(job).content
    sandbox.configure(bulk_transfer="chunked")
    answer = bulk.result(job)
    assert answer.headers["Transfer-Encoding"] == "chunked"
    assert "Content-Length" not in answer.headers
    assert answer.content == whole


@pytest.mark.parametrize("transfer", ["length", "chunked"])
@pytest.mark.parametrize("count", [0, 1, 70_000, None])
def test_a_result_that_is_cut(bulk, job, sandbox, transfer, count):
    whole = bulk.result(job).content
    sandbox.configure(bulk_transfer=transfer)
    sandbox.add_fault("cut", path="/bulk/*/contacts", bytes=count)
    answer = bulk("GET", f"/bulk/{job['id']}/contacts", headers={"Accept": "text/csv"}, stream=True)
    got, broke = read(answer)
    assert broke
    assert whole.startswith(got)
    assert len(got) <= (len(whole) // 2 if count is None else count)
    seen = sandbox.bulk_jobs()[0]
    assert seen["downloads"] == 2
    assert bulk.result(job).content == whole


def test_a_cut_of_any_answer_after_some_bytes(bulk, sandbox):
    sandbox.add_fault("cut", path="/contacts", bytes=10)
    with pytest.raises(requests.exceptions.RequestException):
        bulk("GET", "/contacts")
    sandbox.add_fault("cut", path="/bulk/*/contacts", when="after", bytes=10)


@pytest.mark.parametrize("status", ["ERROR", "ABORTED"])
def test_a_job_that_fails(bulk, sandbox, status):
    sandbox.plan_bulk("fail", status=status, message="Out of luck")
    job = bulk.query()
    assert bulk.status(job) == {
        "id": job["id"],
        "status": status,
        "recordsCount": 0,
        "recordsFailedCount": 1,
        "message": "Out of luck",
    }
    assert bulk("GET", f"/bulk/{job['id']}/errors").json() == ["Out of luck"]
    bulk.api.refused(bulk.result(job), 400)
    assert bulk.status(bulk.query())["status"] == "COMPLETED"


def test_a_job_that_never_begins_can_be_cancelled(bulk, sandbox):
    sandbox.plan_bulk("stay")
    job = bulk.upload("contacts", "LastName\nx\n")
    assert bulk.status(job)["status"] == "CREATED"
    bulk("PUT", f"/bulk/{job['id']}/cancel")
    assert bulk.status(job)["status"] == "CANCELLED"
    assert len(bulk("GET", "/contacts").json()) == 3


def test_a_wrong_number_of_rows(bulk, sandbox):
    sandbox.plan_bulk(rows=-1, count=2)
    for expected in (2, 2, 3):
        job = bulk.query()
        assert bulk.status(job)["recordsCount"] == expected
        assert len(bulk.result(job).text.splitlines()) == 4


def test_plans_are_seen_and_forgotten(bulk, sandbox):
    sandbox.plan_bulk("stay", count=None)
    assert sandbox.control("GET", "/bulk")["plans"][0]["outcome"] == "stay"
    sandbox.control("DELETE", "/bulk")
    assert sandbox.control("GET", "/bulk")["plans"] == []
    assert bulk.status(bulk.query())["status"] == "COMPLETED"
    sandbox.reset()
    assert sandbox.bulk_jobs() == []


@pytest.mark.parametrize(
    "body", [{"outcome": "x"}, {"status": "x"}, {"message": 1}, {"rows": "1"}, {"count": 0}, {"x": 1}]
)
def test_a_plan_that_does_not_fit(sandbox, api, body):
    answer = api.session.post(f"{sandbox.url}/sandbox/bulk", json=body, timeout=20)
    api.refused(answer, 400)


@pytest.mark.parametrize("count", [-1, 10**9 + 1, "3", True, None, 1.5])
def test_a_number_of_records_that_does_not_fit(bulk, sandbox, count):
    url = f"{sandbox.url}/sandbox/instances/{bulk.id}/records/contacts"
    bulk.api.refused(bulk.api.session.put(url, json={"count": count}, timeout=20), 400)


def test_a_client_that_leaves_stops_the_stream(bulk, sandbox):
    sandbox.set_records(bulk.id, "contacts", 1_000_000_000)
    job = bulk.query()
    answer = bulk("GET", f"/bulk/{job['id']}/contacts", headers={"Accept": "text/csv"}, stream=True)
    assert int(answer.headers["Content-Length"]) > 10**11
    next(answer.iter_content(1024))
    answer.close()

    def still() -> bool:
        before = sandbox.bulk_jobs()[0]["sent"]
        time.sleep(0.2)
        return before == sandbox.bulk_jobs()[0]["sent"]

    assert wait_for(still)
