"""The operator that downloads by a bulk job, against the sandbox: jobs, files, breaks, tries, signals."""

from __future__ import annotations

import asyncio
import copy
import csv
import datetime
import hashlib
import io
import json
import os
import random
import re
import signal
import threading
import time
from types import SimpleNamespace

import pytest
from airflow.sdk import ObjectStoragePath

from airflow_provider_cloudelements.client.wire import clock
from airflow_provider_cloudelements.compat import AirflowFailException
from airflow_provider_cloudelements.exceptions import (
    CloudElementsBulkError,
    CloudElementsError,
    CloudElementsServerError,
    CloudElementsTransportError,
    CloudElementsValidationError,
)
from airflow_provider_cloudelements.operators._parts import job_memory
from airflow_provider_cloudelements.operators.bulk import CloudElementsDownloadBulkOperator
from airflow_provider_cloudelements.triggers import poll
from airflow_provider_cloudelements.use import bulk, results
from tests.support.bulk import ending_while_it_waits
from tests.support.context import FakeStore, FakeTi, WorkerClock, context_of
from tests.support.patience import wait_for
from tests.support.triggers import event_of
from tests.support.wire import Answer, Call, Wire, answer

try:
    from airflow.sdk.exceptions import TaskDeferred
except ImportError:
    from airflow.exceptions import TaskDeferred

RECORDS = 1_500
IDS = ("cont_000000000005", "cont_000000000007")


@pytest.fixture
def number(person, sandbox):
    made = person.make("basic")
    sandbox.set_records(made, "contacts", RECORDS)
    return made


@pytest.fixture
def path(tmp_path):
    return f"file://{tmp_path}/contacts.csv"


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(results, "_LONGEST_PAUSE", 0.3)


def operator_of(number, path, **arguments):
    given = {"task_id": "download", "instance_id": number, "object_name": "contacts", "path": path}
    given["deferrable"] = False
    return CloudElementsDownloadBulkOperator(**{**given, "poke_interval": 1, **arguments})


def download(number, path, store=None, ti=None, **arguments):
    return operator_of(number, path, **arguments).execute(context_of(ti or FakeTi(), store))


def content(path):
    return ObjectStoragePath(path).read_bytes()


def files(path):
    return sorted(each.name for each in ObjectStoragePath(path).parent.iterdir())


# -- one download --------------------------------------------------------------------------------------------


def test_a_csv_is_written_counted_and_hashed(sandbox, number, path):
    done = download(number, path)
    (job,) = sandbox.bulk_jobs()
    assert done == {
        "job_id": job["id"],
        "path": path,
        "rows": RECORDS,
        "bytes": len(content(path)),
        "sha256": hashlib.sha256(content(path)).hexdigest(),
    }
    assert len(list(csv.reader(io.StringIO(content(path).decode(), newline="")))) == RECORDS + 1
    assert files(path) == ["contacts.csv"]


@pytest.mark.parametrize(
    "asked",
    [
        {"where": {"id": IDS}, "fields": ["id", "name"]},
        {"object_name": None, "query": f"select id, name from contacts where id IN {IDS!r}"},
    ],
    ids=["v3", "v2"],
)
def test_json_lines_hold_what_was_asked_for_in_both_versions(number, path, asked):
    assert download(number, path, file_format="jsonl", **asked)["rows"] == 2
    rows = [json.loads(line) for line in content(path).splitlines()]
    assert [(row["id"], sorted(row)) for row in rows] == [(each, ["id", "name"]) for each in IDS]


def test_by_the_token_alone(sandbox, number, person, path):
    token = person.call("GET", f"/instances/{number}")["token"]
    before = len(sandbox.requests())
    download(None, path, token=token)
    calls = [(each["method"], each["path"]) for each in sandbox.requests()[before:]]
    job = sandbox.bulk_jobs()[0]["id"]
    assert calls == [
        ("POST", "/bulk/download"),
        ("GET", f"/bulk/{job}/status"),
        ("GET", f"/bulk/{job}/contacts"),
    ]


def test_values_do_not_change_the_query(number, path):
    assert download(number, path, where={"name": "x' or id='cont_000000000005"})["rows"] == 0
    with pytest.raises(AirflowFailException, match="object_name must be a text"):
        download(number, path, object_name="..")


def test_it_waits_for_the_job_and_tells_how_far_it_is(sandbox, number, path, task_log, caplog):
    caplog.set_level("INFO", "airflow_provider_cloudelements")
    sandbox.configure(bulk_duration=1.5)
    assert download(number, path)["rows"] == RECORDS
    assert re.search(r"Bulk job \d+ is RUNNING", caplog.text)
    assert re.search(rf"The file has \d+ bytes and {RECORDS} rows, at [\d.]+ MB a second", caplog.text)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"instance_id": None}, "instance_id must be"),
        ({"token": "***"}, "token consists of asterisks"),
        ({"object_name": None, "query": "contacts"}, "query must be: select fields from object"),
        ({"where": {"a": "\\"}}, "holds a backslash"),
        ({"fields": "id"}, "fields must be a list of texts"),
        ({"path": "file:///tmp/"}, "path must be the address of a file"),
        ({"path": None}, "path must be the address of a file"),
    ],
)
def test_wrong_arguments_are_named_before_anything_begins(sandbox, number, path, arguments, said):
    with pytest.raises(AirflowFailException, match=re.escape(said)):
        download(number, **{"path": path, **arguments})
    assert sandbox.bulk_jobs() == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"file_format": "xml"}, "file_format must be one of 'csv', 'jsonl'"),
        ({"poke_interval": 0}, "poke_interval must be a number of seconds, at least 1"),
        ({"timeout": "60"}, "timeout must be a number of seconds"),
    ],
)
def test_wrong_switches_are_named_when_the_dag_is_parsed(path, arguments, said):
    with pytest.raises(ValueError, match=said):
        operator_of(5, path, **arguments)
    with pytest.raises(ValueError, match=said):
        CloudElementsDownloadBulkOperator.partial(task_id="mapped", **arguments)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"object_name": None}, "Give exactly one of object_name and query"),
        ({"query": "select * from contacts"}, "Give exactly one of object_name and query"),
        ({"object_name": None, "query": "select * from a", "fields": ["b"]}, "where and fields go with"),
    ],
    ids=["none", "both", "fields of a query"],
)
def test_what_does_not_go_together_is_refused_in_the_dag_file_and_once_templates_are_rendered(
    sandbox, number, path, arguments, said
):
    with pytest.raises(CloudElementsValidationError, match=said):
        operator_of(number, path, **arguments)
    operator = operator_of(number, path, query="{{ params.query }}")
    for name, value in {"query": None, **arguments}.items():
        setattr(operator, name, value)
    with pytest.raises(AirflowFailException, match=said):
        operator.execute(context_of(FakeTi(), None))
    assert sandbox.bulk_jobs() == []


# -- jobs that do not end well -------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["ERROR", "ABORTED"])
def test_a_failed_jobs_errors_are_in_the_message_and_the_next_try_starts_another(
    sandbox, number, path, status
):
    store = FakeStore()
    sandbox.plan_bulk("fail", status=status, message="Field x is unknown")
    with pytest.raises(CloudElementsBulkError) as caught:
        download(number, path, store)
    job = sandbox.bulk_jobs()[0]["id"]
    assert str(caught.value) == f"Bulk job {job} ended as {status}. The platform says: Field x is unknown."
    assert (caught.value.job_id, caught.value.job_status) == (job, status)
    assert download(number, path, store)["job_id"] != job


def test_a_count_that_differs_is_a_clear_failure_without_a_file(sandbox, number, path):
    sandbox.plan_bulk(rows=7)
    with pytest.raises(CloudElementsBulkError, match=f"has {RECORDS} rows, and the job says {RECORDS + 7}"):
        download(number, path)
    assert files(path) == []
    assert sandbox.bulk_jobs()[0]["downloads"] == 1


def test_a_job_that_takes_too_long_is_cancelled(sandbox, number, path):
    sandbox.configure(bulk_duration=60)
    store = FakeStore()
    with pytest.raises(
        CloudElementsBulkError, match=r"not ended after 1 seconds \(timeout\), and was cancelled"
    ):
        download(number, path, store, timeout=1)
    assert [each["status"] for each in sandbox.bulk_jobs()] == ["CANCELLED"]
    assert json.loads(store.values["cloudelements_bulk_job"]) == {}


def test_a_result_that_is_no_longer_kept_is_said_and_the_next_try_starts_anew(sandbox, number, path):
    store = FakeStore()
    sandbox.configure(bulk_retention=0)
    with pytest.raises(CloudElementsBulkError, match=r"is not there\. The platform keeps it for three days"):
        download(number, path, store)
    sandbox.configure(bulk_retention=1000)
    download(number, path, store)
    assert len(sandbox.bulk_jobs()) == 2


# -- breaks --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("transfer", ["length", "chunked"])
@pytest.mark.parametrize("ranges", ["serve", "ignore"])
def test_cuts_at_random_places_end_with_the_right_file(sandbox, number, path, ranges, transfer):
    sandbox.configure(bulk_ranges=ranges, bulk_transfer=transfer)
    whole = download(number, path)
    chance = random.Random(f"{ranges} {transfer}")  # noqa: S311
    for _ in range(5):
        size = whole["bytes"]
        for place in sorted(chance.sample(range(size), 2)):
            # With ranges, what is left after the first cut may be shorter than the second place.
            sandbox.add_fault("cut", path="/bulk/*/contacts", bytes=place)
        done = download(number, path)
        sandbox.clear_faults()
        assert {**done, "job_id": 0} == {**whole, "job_id": 0}
        assert hashlib.sha256(content(path)).hexdigest() == whole["sha256"]
        assert files(path) == ["contacts.csv"]


def test_after_a_cut_only_the_rest_is_asked_for(sandbox, number, path):
    whole = download(number, path)
    sandbox.add_fault("cut", path="/bulk/*/contacts", bytes=100_000)
    assert download(number, path)["sha256"] == whole["sha256"]
    assert sandbox.bulk_jobs()[-1]["downloads"] == 2
    assert sandbox.bulk_jobs()[-1]["sent"] <= whole["bytes"] + 100_000


def test_a_server_that_forgets_the_range_begins_a_new_file(sandbox, number, path):
    whole = download(number, path)
    sandbox.add_fault("cut", path="/bulk/*/contacts", bytes=100_000)
    sandbox.add_fault("forget_range", path="/bulk/*/contacts")
    assert download(number, path)["sha256"] == whole["sha256"]


def test_a_connection_that_always_breaks_is_a_clear_failure_and_the_job_is_kept(sandbox, number, path):
    store = FakeStore()
    sandbox.configure(bulk_ranges="ignore")
    sandbox.add_fault("cut", path="/bulk/*/contacts", bytes=1000, count=None)
    with pytest.raises(CloudElementsTransportError, match="broke 6 times and came no further"):
        download(number, path, store)
    assert files(path) == []
    sandbox.clear_faults()
    done = download(number, path, store, ti=FakeTi(2))
    assert [each["id"] for each in sandbox.bulk_jobs()] == [done["job_id"]]


CSV = b"id\r\n" + b"".join(b"%d\r\n" % number for number in range(100))


def served(*bodies: Answer, records: int | None = 100):
    """Answer as a platform whose job has so many records, with these answers for its result, one by one."""
    left = list(bodies)

    def script(call: Call) -> Answer:
        if call.method == "POST":
            return answer({"id": "7", "status": "CREATED"})
        if call.target.endswith("/status"):
            return answer({"id": 7, "jobStatus": "COMPLETED", "recordCount": records})
        return left.pop(0) if len(left) > 1 else left[0]

    return script


def plain(body: bytes, **headers: str) -> Answer:
    """Return an answer whose body ends with the connection."""
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return Answer(f"HTTP/1.1 200 OK\r\nConnection: close\r\n{head}\r\n".encode() + body)


def use(monkeypatch, wire, **more):
    """Let the default connection lead to a wire, whose calls are not repeated."""
    extra = {"organization_secret": "an-org-secret", "max_retries": 0, **more}
    fields = {"conn_type": "cloudelements", "host": wire.url, "password": "a-user-secret", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_CLOUDELEMENTS_DEFAULT", json.dumps(fields))


def from_wire(monkeypatch, path, *bodies, records=100, **arguments):
    with Wire(served(*bodies, records=records)) as wire:
        use(monkeypatch, wire)
        try:
            return download(None, path, token="a-token-of-one", **arguments), wire
        finally:
            assert "job" not in files(path)


def test_a_body_that_ends_with_its_connection_and_is_cut_is_found_by_its_rows(monkeypatch, path):
    done, wire = from_wire(monkeypatch, path, plain(CSV[:200]), plain(CSV))
    assert (done["rows"], content(path)) == (100, CSV)
    assert len([call for call in wire.calls if call.target.endswith("/contacts")]) == 2
    with pytest.raises(CloudElementsBulkError, match="rows, and the job says 100 records"):
        from_wire(monkeypatch, path, plain(CSV[:200]))


TAG = {"ETag": '"one"'}
BROKEN = Answer(b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\nETag: "one"\r\n\r\n' % len(CSV) + CSV[:100])


def part(begin: int, end: int, total: int = len(CSV)) -> Answer:
    """Return an answer that is a part of the whole."""
    return answer(CSV[begin:end], 206, {"Content-Range": f"bytes {begin}-{end - 1}/{total}", **TAG})


@pytest.mark.parametrize(
    "second",
    [
        answer(CSV[100:], 206, {"Content-Range": f"bytes 100-{len(CSV) - 1}/{len(CSV)}", **TAG}),
        answer(CSV[90:], 206, {"Content-Range": f"bytes 90-{len(CSV) - 1}/{len(CSV)}", **TAG}),
        answer(CSV[100:], 206, {"Content-Range": f"bytes 100-{len(CSV) - 1}/{len(CSV)}", "ETag": '"two"'}),
        answer(CSV[100:], 206, {"Content-Range": f"bytes 100-{len(CSV) - 1}/{len(CSV)}"}),
        part(100, len(CSV), len(CSV) + 1),
        answer({"message": "no such range"}, 416),
        answer(CSV),
    ],
    ids=[
        "the rest",
        "another part",
        "of another version",
        "of no version",
        "of another length",
        "no range",
        "the whole",
    ],
)
def test_only_the_rest_of_the_same_bytes_is_gone_on_with(monkeypatch, path, second):
    done, wire = from_wire(monkeypatch, path, BROKEN, second, answer(CSV))
    assert (done["rows"], content(path)) == (100, CSV)
    asked = [call for call in wire.calls if call.target.endswith("/contacts")]
    assert (asked[1].header("Range"), asked[1].header("If-Range")) == ("bytes=100-", '"one"')


def test_a_server_that_sends_another_part_each_time_is_left(monkeypatch, path):
    wrong = answer(CSV[5:], 206, {"Content-Range": f"bytes 5-{len(CSV) - 1}/{len(CSV)}"})
    with pytest.raises(CloudElementsServerError, match="comes from byte 5 on, and not from byte 0"):
        from_wire(monkeypatch, path, wrong)
    assert files(path) == []


LINES = b"".join(b'{"id": %d}\n' % number for number in range(100))


@pytest.mark.parametrize("records", [100, None])
@pytest.mark.parametrize(
    ("file_format", "whole", "cut"),
    [("csv", CSV, 1), ("csv", CSV, 3), ("jsonl", LINES, 3), ("jsonl", LINES, 8)],
)
def test_a_cut_within_the_last_row_is_never_taken_for_a_whole_file(
    monkeypatch, path, file_format, whole, cut, records
):
    given = {"records": records, "file_format": file_format}
    done, _ = from_wire(monkeypatch, path, plain(whole[:-cut]), plain(whole), **given)
    assert (done["rows"], content(path)) == (100, whole)
    ObjectStoragePath(path).unlink()
    with pytest.raises(CloudElementsBulkError, match="ends in the middle of a row"):
        from_wire(monkeypatch, path, plain(whole[:-cut]), **given)
    assert files(path) == []


def test_json_lines_whose_last_has_no_line_break_are_whole(monkeypatch, path):
    done, _ = from_wire(monkeypatch, path, plain(LINES[:-1]), file_format="jsonl")
    assert (done["rows"], content(path)) == (100, LINES[:-1])


def test_a_csv_of_known_length_needs_no_line_break_at_its_end(monkeypatch, path):
    assert from_wire(monkeypatch, path, answer(CSV[:-2]))[0]["rows"] == 100


@pytest.mark.parametrize("records", [100, None])
def test_parts_are_asked_for_until_all_is_there(monkeypatch, path, records):
    end = len(CSV)
    parts = [part(100, 200), part(200, 300), part(300, end - 3), part(end - 3, end)]
    done, wire = from_wire(monkeypatch, path, BROKEN, *parts, records=records)
    assert (done["rows"], content(path)) == (100, CSV)
    asked = [call.header("Range") for call in wire.calls if call.target.endswith("/contacts")]
    assert asked == [None, *(f"bytes={begin}-" for begin in (100, 200, 300, end - 3))]


@pytest.mark.parametrize("records", [100, None])
def test_the_end_of_a_part_is_not_the_end_of_an_unknown_whole(monkeypatch, path, records):
    head = b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nETag: "one"\r\n\r\n'
    broken = Answer(head + b"64\r\n" + CSV[:100] + b"\r\n")
    end = len(CSV) - 3
    rest = answer(CSV[100:end], 206, {"Content-Range": f"bytes 100-{end - 1}/*", **TAG})
    done, wire = from_wire(monkeypatch, path, broken, rest, answer(CSV), records=records)
    assert (done["rows"], content(path)) == (100, CSV)
    asked = [call.header("Range") for call in wire.calls if call.target.endswith("/contacts")]
    assert asked == [None, "bytes=100-", None]


def test_a_part_that_is_shorter_than_its_range_is_gone_on_with(monkeypatch, path):
    end = len(CSV) - 3
    short = answer(CSV[:end], 206, {"Content-Range": f"bytes 0-{len(CSV) - 1}/*", **TAG})
    done, wire = from_wire(monkeypatch, path, short, part(end, len(CSV)))
    assert (done["rows"], content(path)) == (100, CSV)
    asked = [call.header("Range") for call in wire.calls if call.target.endswith("/contacts")]
    assert asked == [None, f"bytes={end}-"]


@pytest.mark.parametrize("records", [100, None])
@pytest.mark.parametrize(
    ("bodies", "kind", "said"),
    [
        ([BROKEN, part(100, len(CSV) - 3)], CloudElementsServerError, "comes from byte 100 on"),
        ([part(0, 90)], CloudElementsTransportError, f"has {len(CSV)} bytes, and 90 came"),
        (
            [answer(CSV[:90], 206, {"Content-Range": f"bytes 0-89/{len(CSV)}"})],
            CloudElementsTransportError,
            f"has {len(CSV)} bytes, and 90 came",
        ),
    ],
    ids=["never the end", "the same part", "no tag"],
)
def test_parts_that_lead_nowhere_are_left(monkeypatch, path, bodies, kind, said, records):
    with pytest.raises(kind, match=said):
        from_wire(monkeypatch, path, *bodies, records=records)
    assert files(path) == []


def test_empty_values_at_the_end_of_one_column_are_rows_if_the_job_says_so(monkeypatch, path):
    body = b"phone\n" + b"1\n" * 98 + b"\n\n"
    done, _ = from_wire(monkeypatch, path, answer(body))
    assert (done["rows"], content(path)) == (100, body)
    assert from_wire(monkeypatch, path, answer(body), records=98)[0]["rows"] == 98
    with pytest.raises(CloudElementsBulkError, match="has 98 rows, and the job says 101"):
        from_wire(monkeypatch, path, answer(body), records=101)
    two = b"phone,fax\n" + b"1,2\n" * 98 + b"\n\n"
    with pytest.raises(CloudElementsBulkError, match="has 98 rows, and the job says 100"):
        from_wire(monkeypatch, path, answer(two))


def test_rows_may_end_in_carriage_returns_alone(monkeypatch, path):
    body = CSV.replace(b"\n", b"")
    done, _ = from_wire(monkeypatch, path, answer(body))
    assert (done["rows"], content(path)) == (100, body)
    with pytest.raises(CloudElementsBulkError, match="has 99 rows, and the job says 100"):
        from_wire(monkeypatch, path, answer(body[: body.rindex(b"\r", 0, -1) + 1]))


def test_a_carriage_return_within_a_value_ends_no_row(monkeypatch, path):
    body = CSV.replace(b"99", b"9\r9")
    assert body.count(b"\r") > CSV.count(b"\r")
    done, _ = from_wire(monkeypatch, path, answer(body))
    assert (done["rows"], content(path)) == (100, body)


# -- tries ---------------------------------------------------------------------------------------------------


@pytest.fixture
def killed_while_waiting(monkeypatch, sandbox):
    return ending_while_it_waits(monkeypatch, sandbox, download)


def test_a_later_try_goes_on_with_the_job_of_a_killed_one(sandbox, number, path, killed_while_waiting):
    store = FakeStore()
    killed_while_waiting(number, path, store)
    done = download(number, path, store, ti=FakeTi(2))
    assert [each["id"] for each in sandbox.bulk_jobs()] == [done["job_id"]]
    # A cleared task is to get what the platform holds by then.
    assert download(number, path, store, ti=FakeTi(3))["job_id"] != done["job_id"]


def test_what_the_store_shows_names_no_value(number, path, killed_while_waiting):
    store = FakeStore()
    killed_while_waiting(number, path, store, where={"name": "Ada Lovelace"})
    assert "Ada" not in json.dumps(store.values)


@pytest.mark.parametrize("changed", [{"file_format": "jsonl"}, {"where": {"id": IDS[0]}}, {"fields": ["id"]}])
def test_another_download_does_not_go_on_with_the_job(sandbox, number, path, killed_while_waiting, changed):
    store = FakeStore()
    killed_while_waiting(number, path, store)
    download(number, path, store, ti=FakeTi(2), **changed)
    assert len(sandbox.bulk_jobs()) == 2


LOST = [{"action": "drop"}, *({"action": "status", "status": each} for each in (408, 499, 503, 504))]


def test_a_query_with_other_blanks_in_a_text_is_another_one(sandbox, number, path):
    def asked(blanks, fault=None, **faults):
        query = f"select  id from contacts where name='a{blanks}b'"
        if fault:
            sandbox.add_fault(fault, path="/bulk/query", **faults)
        return download(number, path, object_name=None, query=query)

    asked(" ")
    # The clock of the sandbox and ours are one, so the job above may be this start's by its date.
    with pytest.raises(CloudElementsTransportError):
        asked("  ", "drop", when="before")
    assert asked("  ", "drop", when="after")["job_id"] == max(each["id"] for each in sandbox.bulk_jobs())
    assert len(sandbox.bulk_jobs()) == 2


@pytest.mark.parametrize("fault", LOST, ids=str)
def test_a_start_whose_answer_is_lost_is_found(sandbox, number, path, fault):
    sandbox.add_fault(**fault, path="/bulk/download", when="after")
    done = download(number, path, FakeStore())
    assert [each["id"] for each in sandbox.bulk_jobs()] == [done["job_id"]]


def test_a_later_try_looks_for_a_start_that_nobody_could_look_for(sandbox, number, path):
    store = FakeStore()
    sandbox.add_fault("drop", path="/bulk/download", when="after")
    sandbox.add_fault("status", path="/bulk/jobs", count=2)
    with pytest.raises(CloudElementsServerError):
        download(number, path, store)
    done = download(number, path, store, ti=FakeTi(2))
    assert [each["id"] for each in sandbox.bulk_jobs()] == [done["job_id"]]


@pytest.mark.parametrize("ahead", [3600, -3600])
def test_a_later_try_on_a_worker_of_another_clock_finds_the_start(sandbox, number, path, monkeypatch, ahead):
    worker, store = WorkerClock(ahead), FakeStore()
    for module in (bulk, job_memory, clock):
        monkeypatch.setattr(module, "time", worker, raising=False)
    before = None
    if ahead < 0:  # what began before the start is not the task's
        before = download(number, path)["job_id"]
        time.sleep(3)
    sandbox.add_fault("drop", path="/bulk/download", when="after")
    sandbox.add_fault("status", path="/bulk/jobs", count=2)
    with pytest.raises(CloudElementsServerError):
        download(number, path, store)
    worker.ahead = 0
    done = download(number, path, store, ti=FakeTi(2))
    assert [each["id"] for each in sandbox.bulk_jobs() if each["id"] != before] == [done["job_id"]]


def test_a_start_that_never_arrived_says_what_a_retry_does(sandbox, number, path):
    sandbox.add_fault("drop", path="/bulk/download", when="before")
    with pytest.raises(CloudElementsTransportError, match="A later try looks for it first"):
        download(number, path, FakeStore())
    assert sandbox.bulk_jobs() == []


def in_a_run(try_number, task_id="download", store=None):
    """Return the context of a try in a run that has just begun."""
    run = SimpleNamespace(start_date=datetime.datetime.now(datetime.UTC))
    return {**context_of(FakeTi(try_number, task_id=task_id), store), "dag_run": run}


@pytest.mark.parametrize("task_id", ["download", "another"])
def test_without_a_store_no_job_of_before_is_taken_for_this_trys(sandbox, number, path, task_id):
    first = operator_of(number, path).execute(in_a_run(1))
    sandbox.set_records(number, "contacts", RECORDS + 200)
    later = operator_of(number, path).execute(in_a_run(2, task_id))
    assert (later["job_id"] != first["job_id"], later["rows"]) == (True, RECORDS + 200)


def test_without_a_store_a_running_job_of_before_is_not_taken_up(sandbox, number, path, killed_while_waiting):
    killed_while_waiting(number, path, None)
    (job,) = sandbox.bulk_jobs()
    assert operator_of(number, path).execute(in_a_run(2))["job_id"] != job["id"]


def test_without_a_store_a_lost_start_is_found_within_its_try_and_else_said(sandbox, number, path):
    sandbox.add_fault("drop", path="/bulk/download", when="after")
    done = operator_of(number, path).execute(in_a_run(1))
    assert [each["id"] for each in sandbox.bulk_jobs()] == [done["job_id"]]
    sandbox.add_fault("drop", path="/bulk/download", when="before")
    time.sleep(2.1)  # dates are rounded
    with pytest.raises(CloudElementsTransportError, match="A later try starts another one"):
        operator_of(number, path).execute(in_a_run(1))


def test_an_instance_whose_jobs_cannot_be_listed_gets_another_one(sandbox, number, path):
    store = FakeStore()
    sandbox.add_fault("drop", path="/bulk/download", when="after")
    sandbox.add_fault("status", status=400, path="/bulk/jobs", count=2)
    with pytest.raises(CloudElementsTransportError, match="A later try looks for it first"):
        download(number, path, store)
    assert download(number, path, store, ti=FakeTi(2))["rows"] == RECORDS
    assert len(sandbox.bulk_jobs()) == 2


# -- signals -------------------------------------------------------------------------------------------------


def test_a_task_that_is_told_to_end_cancels_its_job_and_fails(sandbox, number, path):
    sandbox.configure(bulk_duration=60)
    operator = operator_of(number, path, poke_interval=30)

    def tell():
        wait_for(lambda: [each for each in sandbox.bulk_jobs() if each["status"] == "RUNNING"], 20)
        os.kill(os.getpid(), signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, lambda *_: operator.on_kill())
    try:
        sandbox.configure(bulk_duration=8)
        threading.Thread(target=tell, daemon=True).start()
        with pytest.raises(CloudElementsBulkError, match="was told to end while bulk job"):
            operator.execute(context_of(FakeTi(), FakeStore()))
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert [each["status"] for each in sandbox.bulk_jobs()] == ["CANCELLED"]
    assert files(path) == []
    operator.on_kill()  # after the work there is nothing to end


def test_a_task_that_is_told_to_end_while_no_byte_comes_leaves_no_part(monkeypatch, path):
    others, left = served(Answer(BROKEN.content, "stall")), []
    with Wire(lambda call: answer({}) if call.method == "PUT" else others(call)) as wire:
        use(monkeypatch, wire, request_timeout=4)
        operator = operator_of(None, path, token="a-token-of-one")

        def tell():
            wait_for(lambda: any(each.endswith(".part") for each in files(path)), 20)
            time.sleep(0.5)  # until what came is written, and the next read waits
            operator.on_kill()
            left.append(files(path))

        thread = threading.Thread(target=tell)
        thread.start()
        with pytest.raises(CloudElementsError):
            operator.execute(context_of(FakeTi(), FakeStore()))
        thread.join()
    assert left == [[]]
    assert files(path) == []


def test_a_job_that_may_be_another_tasks_is_not_cancelled(sandbox, number, path):
    sandbox.configure(bulk_duration=60)
    sandbox.add_fault("drop", path="/bulk/download", when="after")
    with pytest.raises(CloudElementsBulkError, match=r"not ended after 1 seconds \(timeout\)\."):
        download(number, path, timeout=1)
    assert [each["status"] for each in sandbox.bulk_jobs()] == ["CREATED"]


# -- deferred ------------------------------------------------------------------------------------------------


async def resumed(operator, store=None):
    """Defer, run the trigger as the triggerer does, and go on in a new process of the task."""
    context = context_of(FakeTi(), store)
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute(context)
    trigger = deferred.value.trigger
    trigger.poll_interval = 0.05
    event = await event_of(trigger)
    method = getattr(copy.copy(operator), deferred.value.method_name)
    return await asyncio.to_thread(method, context, event=event)


@pytest.fixture
def quick_hub(monkeypatch):
    monkeypatch.setattr(poll, "FLOOR", 0.02)
    monkeypatch.setattr(poll, "GATHER", 0.02)


@pytest.mark.usefixtures("quick_hub")
async def test_a_deferred_task_ends_as_one_that_waits(sandbox, number, path):
    sandbox.configure(bulk_duration=1)
    store = FakeStore()
    done = await resumed(operator_of(number, path, deferrable=True), store)
    (job,) = sandbox.bulk_jobs()
    assert (done["job_id"], done["rows"]) == (job["id"], RECORDS)
    assert json.loads(store.values["cloudelements_bulk_job"]) == {}


def test_a_deferred_task_does_not_defer_for_a_job_that_has_ended(number, path):
    assert download(number, path, deferrable=True)["rows"] == RECORDS


def test_without_the_instances_id_a_deferrable_task_waits_in_the_worker(sandbox, number, person, path):
    sandbox.configure(bulk_duration=1)
    token = person.call("GET", f"/instances/{number}")["token"]
    assert download(None, path, token=token, deferrable=True)["rows"] == RECORDS


@pytest.mark.usefixtures("quick_hub")
@pytest.mark.parametrize(
    "limit", [{"timeout": 1}, {"execution_timeout": datetime.timedelta(seconds=1)}], ids=str
)
async def test_a_deferred_job_that_takes_too_long_is_cancelled(sandbox, number, path, limit):
    sandbox.plan_bulk("stay")
    (name,) = limit
    with pytest.raises(
        CloudElementsBulkError, match=rf"not ended after 1 seconds \({name}\), and was cancelled"
    ):
        await resumed(operator_of(number, path, deferrable=True, **limit))
    assert [each["status"] for each in sandbox.bulk_jobs()] == ["CANCELLED"]


@pytest.mark.usefixtures("quick_hub")
async def test_an_execution_timeout_of_zero_is_none_as_in_airflows_worker(sandbox, number, path):
    sandbox.configure(bulk_duration=1)
    none = datetime.timedelta(0)
    done = await resumed(operator_of(number, path, deferrable=True, execution_timeout=none))
    assert done["rows"] == RECORDS


@pytest.mark.usefixtures("quick_hub")
async def test_a_deferred_job_that_fails_says_why(sandbox, number, path):
    sandbox.configure(bulk_duration=1)
    sandbox.plan_bulk("fail", message="The vendor said no")
    with pytest.raises(CloudElementsBulkError, match="The platform says: The vendor said no"):
        await resumed(operator_of(number, path, deferrable=True))


@pytest.mark.parametrize(
    ("event", "kind", "said"),
    [
        (None, CloudElementsError, "ended without the result"),
        ({"status": "success"}, CloudElementsError, "ended without the result"),
        (
            {"status": "error", "kind": "CloudElementsNotFoundError", "message": "gone", "final": True},
            AirflowFailException,
            "gone",
        ),
    ],
)
def test_an_event_without_a_job_is_a_failure(number, path, event, kind, said):
    with pytest.raises(kind, match=said):
        operator_of(number, path).execute_complete(context_of(FakeTi()), event)


def test_a_cleared_deferred_task_goes_on_with_its_job(sandbox, number, path):
    store = FakeStore()
    sandbox.configure(bulk_duration=2)
    with pytest.raises(TaskDeferred):
        download(number, path, store, deferrable=True)
    done = download(number, path, store, ti=FakeTi(2), deferrable=False)
    assert [each["id"] for each in sandbox.bulk_jobs()] == [done["job_id"]]
