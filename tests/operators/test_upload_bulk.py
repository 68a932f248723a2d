"""The operator that uploads by a bulk job, against the sandbox: files, jobs, errors, tries, signals."""

from __future__ import annotations

import asyncio
import copy
import datetime
import hashlib
import io
import json
import os
import random
import re
import signal
import socket
import threading
import time
from collections import UserDict
from pathlib import Path
from types import SimpleNamespace

import pytest
from airflow.sdk import DAG, Asset

from airflow_provider_cloudelements.client.wire import clock
from airflow_provider_cloudelements.compat import AirflowFailException, AirflowTaskTimeout
from airflow_provider_cloudelements.exceptions import (
    CloudElementsBulkError,
    CloudElementsError,
    CloudElementsServerError,
    CloudElementsTransportError,
)
from airflow_provider_cloudelements.operators._parts import job_memory, lineage, source_file
from airflow_provider_cloudelements.operators.bulk import (
    CloudElementsDownloadBulkOperator,
    CloudElementsUploadBulkOperator,
)
from airflow_provider_cloudelements.triggers import poll
from airflow_provider_cloudelements.use import bulk, upload_start, uploads
from tests.support.bulk import Killed, ending_while_it_waits
from tests.support.context import FakeStore, FakeTi, WorkerClock, context_of
from tests.support.cutting import cutting
from tests.support.hidden import assert_hidden
from tests.support.patience import wait_for
from tests.support.platform import client_of
from tests.support.triggers import event_of
from tests.support.wire import Wire, answer

try:
    from airflow.sdk.exceptions import TaskDeferred
except ImportError:
    from airflow.exceptions import TaskDeferred

ROWS = 200
CSV = b"name,email\r\n" + b"".join(b"N %d,n%d@example.com\r\n" % (each, each) for each in range(ROWS))
LINES = b"".join(b'{"name": "N %d", "email": "n%d@example.com"}\n' % (each, each) for each in range(ROWS))


@pytest.fixture
def number(person):
    return person.make("basic")


@pytest.fixture
def path(tmp_path):
    (tmp_path / "contacts.csv").write_bytes(CSV)
    return f"file://{tmp_path}/contacts.csv"


def operator_of(number, path, **arguments):
    given = {"task_id": "upload", "instance_id": number, "object_name": "contacts", "path": path}
    given["deferrable"] = False
    return CloudElementsUploadBulkOperator(**{**given, "poke_interval": 1, **arguments})


def try_of(try_number=1, max_tries=0, **names):
    """Return a try: the second of a series, or the first after a clear, by what Airflow counts."""
    ti = FakeTi(try_number, **names)
    ti.max_tries = max_tries
    return ti


def upload(number, path, store=None, ti=None, **arguments):
    number = arguments.pop("instance_id", number)
    return operator_of(number, path, **arguments).execute(context_of(ti or try_of(), store))


def local(path):
    return Path(path.removeprefix("file://"))


def written(sandbox, number):
    """Return the names of the records that were uploaded to an instance."""
    with client_of(sandbox) as client:
        names = [row.get("name") for row in client.instance(number).records("/contacts")]
    return [each for each in names if str(each).startswith("N ")]


def uploads_of(sandbox):
    return [each for each in sandbox.bulk_jobs() if each["direction"] == "UPLOAD"]


# -- one upload ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("file_format", "content"), [("csv", CSV), ("jsonl", LINES)])
def test_the_rows_become_records_and_are_counted_and_hashed(
    sandbox, person, number, path, file_format, content
):
    local(path).write_bytes(content)
    done = upload(number, path, file_format=file_format)
    (job,) = sandbox.bulk_jobs()
    assert done == {
        "job_id": job["id"],
        "path": path,
        "rows": ROWS,
        "records": ROWS,
        "errors": 0,
        "errors_path": None,
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    assert written(sandbox, number) == [f"N {each}" for each in range(ROWS)]
    assert (job["upload"]["name"], job["upload"]["bytes"]) == ("contacts.csv", len(content))
    assert job["upload"]["type"] == {"csv": "text/csv", "jsonl": "application/json"}[file_format]
    assert job["upload"]["fields"] == ([] if file_format == "csv" else ["metaData"])


def test_rows_change_the_records_that_the_identifier_names(sandbox, number, path):
    upload(number, path)
    local(path).write_bytes(CSV.replace(b"N 7,", b"N changed,"))
    done = upload(number, path, identifier_field="email")
    names = written(sandbox, number)
    assert (done["records"], len(names), names.count("N changed"), names.count("N 7")) == (ROWS, ROWS, 1, 0)


@pytest.mark.parametrize(
    "name",
    [
        'a"; name="metaData".csv',
        "a\\",
        'a\\".csv',
        "é ü 漢字 ع.csv",
        "a;b=c&d%22%0d%0a.csv",
        "--boundary--",
    ],
)
def test_a_files_name_never_forges_a_part(sandbox, number, tmp_path, name):
    (tmp_path / name).write_bytes(CSV)
    upload(number, f"file://{tmp_path}/{name}")
    (job,) = sandbox.bulk_jobs()
    assert job["upload"]["fields"] == []
    assert (job["records"], job["upload"]["bytes"]) == (ROWS, len(CSV))
    assert job["upload"]["name"] == name.replace("\\", "%5C").replace('"', "%22")


HOSTILE = ['email"\r\nX-Forged: 1', "e\\mail'; drop", "--x\r\n\r\n", "ключ"]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_field_of_any_name_identifies_records_and_forges_nothing(sandbox, number, path, name):
    local(path).write_text(json.dumps({name: "1"}) + "\n")
    upload(number, path, file_format="jsonl", identifier_field=name)
    (job,) = sandbox.bulk_jobs()
    assert (job["upload"]["identifier"], job["upload"]["fields"]) == (name, ["metaData"])


@pytest.mark.parametrize("name", ["query", "Download", " jobs ", "..", "", None, 5.5, ["contacts"]])
def test_an_object_whose_path_is_another_calls_is_refused(sandbox, number, path, name):
    with pytest.raises(AirflowFailException, match="object_name must"):
        upload(number, path, object_name=name)
    assert sandbox.bulk_jobs() == []


@pytest.mark.parametrize("name", ["a/b", "a?b", "../contacts", "a b%2f"])
def test_an_object_of_any_name_is_one_part_of_the_path(sandbox, number, path, name):
    with pytest.raises(AirflowFailException, match="200 of 200 records failed"):
        upload(number, path, object_name=name)
    assert [each["object"] for each in sandbox.bulk_jobs()] == [name]


def test_by_the_token_alone_and_nothing_is_asked_twice(sandbox, number, person, path):
    token = person.show(number)["token"]
    before = len(sandbox.requests())
    upload(None, path, token=token)
    calls = [(each["method"], each["path"]) for each in sandbox.requests()[before:]]
    job = sandbox.bulk_jobs()[0]["id"]
    assert calls == [("POST", "/bulk/contacts"), ("GET", f"/bulk/{job}/status")]


def test_it_waits_for_the_job_and_tells_how_far_it_is(sandbox, number, path, task_log, caplog, monkeypatch):
    caplog.set_level("INFO", "airflow_provider_cloudelements")
    monkeypatch.setattr("airflow_provider_cloudelements.use.progress.TELLING", 0)
    sandbox.configure(bulk_duration=1.5)
    upload(number, path)
    assert re.search(r"Bulk job \d+ is RUNNING", caplog.text)
    assert re.search(rf"So far {len(CSV)} bytes and {ROWS} rows, [\d.]+ MB a second", caplog.text)
    assert re.search(rf"The file has {len(CSV)} bytes and {ROWS} rows, at [\d.]+ MB a second", caplog.text)


def test_a_download_is_uploaded_as_it_is(sandbox, number, tmp_path):
    sandbox.set_records(number, "leads", 300)
    common = {"task_id": "move", "instance_id": number, "deferrable": False, "poke_interval": 1}
    for file_format in ("csv", "jsonl"):
        path = f"file://{tmp_path}/leads.{file_format}"
        more = {"path": path, "file_format": file_format, **common}
        down = CloudElementsDownloadBulkOperator(object_name="leads", **more).execute(context_of())
        up = CloudElementsUploadBulkOperator(object_name="contacts", **more).execute(context_of())
        assert (up["rows"], up["sha256"]) == (down["rows"], down["sha256"]) == (300, up["sha256"])


def test_from_a_store_of_objects(memory_store, number):
    with memory_store.open("/bucket/contacts.csv", "wb") as file:
        file.write(CSV)
    assert upload(number, "memory:///bucket/contacts.csv")["rows"] == ROWS


# -- files that cannot be uploaded ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "arguments", "said"),
    [
        (b"", {}, "path: the file is empty"),
        (b"\xef\xbb\xbf \r\n", {}, "path: the file begins with nothing but white space"),
        (CSV, {"identifier_field": "id"}, "identifier_field: the first line of the file names 2 fields"),
        (CSV.replace(b",", b";"), {"identifier_field": "email"}, "names 1 fields, separated by commas"),
        (CSV, {"identifier_field": " "}, "identifier_field names nothing"),
        (CSV, {"identifier_field": "None"}, "identifier_field names nothing"),
        (CSV, {"identifier_field": 5}, "identifier_field must be a text"),
        (CSV, {"file_format": "jsonl"}, "path: the file's first line is no JSON object"),
        (b'[{"a": 1}]', {"file_format": "jsonl"}, "path: the file's first line is no JSON object"),
        (b'{\n"a": 1}', {"file_format": "jsonl"}, "path: the file's first line is no JSON object"),
        (CSV, {"errors_path": "file:///tmp/"}, "errors_path must be the address of a file"),
        (CSV, {"errors_path": "same"}, "errors_path is path: the errors would replace the records"),
        (CSV, {"instance_id": None}, "instance_id must be"),
        (CSV, {"token": "***"}, "token consists of asterisks"),
    ],
)
def test_what_cannot_be_sent_is_named_before_anything_begins(sandbox, number, path, content, arguments, said):
    local(path).write_bytes(content)
    if arguments.get("errors_path") == "same":
        arguments = {"errors_path": path.removeprefix("file://")}
    with pytest.raises(AirflowFailException, match=re.escape(said)):
        upload(number, path, **arguments)
    assert sandbox.bulk_jobs() == []
    assert local(path).read_bytes() == content


@pytest.mark.parametrize("native", [True, False])
def test_an_identifier_that_rendered_to_nothing_makes_no_records_anew(sandbox, number, path, native):
    with DAG("moved", schedule=None, render_template_as_native_obj=native):
        operator = operator_of(number, path, identifier_field="{{ found }}")
    operator.render_template_fields({"found": None})
    with pytest.raises(AirflowFailException, match="identifier_field names nothing"):
        operator.execute(context_of(try_of()))
    assert sandbox.bulk_jobs() == []


def test_a_first_line_that_is_no_line_of_names_does_not_show(number, path):
    local(path).write_bytes(b"Ada Lovelace,ada@example.com\r\n")
    with pytest.raises(AirflowFailException) as caught:
        upload(number, path, identifier_field="email")
    assert "ada" not in str(caught.value).lower()


def test_a_file_that_is_a_folder_missing_or_too_large(sandbox, number, path, tmp_path, monkeypatch):
    with pytest.raises(AirflowFailException, match="path is a folder"):
        upload(number, f"file://{tmp_path}")
    with pytest.raises(CloudElementsError, match="path: there is no such file"):
        upload(number, f"file://{tmp_path}/missing.csv")
    monkeypatch.setattr(source_file, "LARGEST", len(CSV) - 1)
    with pytest.raises(AirflowFailException, match=f"path: the file has {len(CSV)} bytes, and the platform"):
        upload(number, path)
    assert sandbox.bulk_jobs() == []


def test_a_storage_that_tells_no_size(number, path, monkeypatch):
    monkeypatch.setattr(source_file, "_marks", lambda _: {"size": None})
    with pytest.raises(AirflowFailException, match="path: the storage does not say how long the file is"):
        upload(number, path)


@pytest.mark.parametrize("what", ["grows", "shrinks", "goes", "becomes another", "cannot be read"])
def test_a_file_that_changes_while_it_is_sent_begins_no_job(sandbox, number, path, monkeypatch, what):
    store, file = FakeStore(), local(path)
    file.write_bytes(CSV + b"N more,more@example.com\r\n" * 40_000)
    real, reads = uploads.Source.read, []

    def change():
        content = file.read_bytes()
        if what == "grows":
            with file.open("ab") as more:
                more.write(b"x" * 10)
        elif what == "shrinks":
            os.truncate(file, len(content) - 10)
        elif what == "goes":
            file.unlink()
        elif what == "becomes another":
            file.write_bytes(content.replace(b"N 7,", b"N 8,"))
            os.utime(file, (1, 1))

    def read(self, size):
        reads.append(size)
        if len(reads) == 2:
            change()
            if what == "cannot be read":
                monkeypatch.setattr(
                    self._file, "read", lambda _: (_ for _ in ()).throw(OSError(5, "I/O error"))
                )
        return real(self, size)

    monkeypatch.setattr(uploads.Source, "read", read)
    said = {
        "goes": "path: there is no such file",
        "cannot be read": r"path: the file cannot be read \(OSError: I/O",
    }
    with pytest.raises(CloudElementsError, match=said.get(what, "path: the file changed while it was sent")):
        upload(number, path, store)
    assert sandbox.bulk_jobs() == []
    assert json.loads(store.values["cloudelements_bulk_job"]) == {}


# -- errors --------------------------------------------------------------------------------------------------

BAD = b"email,name\n" + b"".join(
    (b",N %d\n" if each % 50 == 0 else b"n%d@x.example,N %d\n")
    % ((each,) if each % 50 == 0 else (each, each))
    for each in range(ROWS)
)


def test_records_that_fail_fail_the_task_once_and_all_errors_are_in_their_file(
    sandbox, person, number, path, tmp_path
):
    local(path).write_bytes(BAD)
    store, errors = FakeStore(), f"file://{tmp_path}/errors.jsonl"
    arguments = {"identifier_field": "email", "errors_path": errors, "retries": 2}
    with pytest.raises(AirflowFailException) as caught:
        upload(number, path, store, try_of(1, 2), **arguments)
    (job,) = sandbox.bulk_jobs()
    assert str(caught.value) == (
        f"CloudElementsBulkError: Bulk job {job['id']}: 4 of 200 records failed, and max_errors is 0. The "
        "platform says: Row 1: The field email is empty. Row 51: The field email is empty. Row 101: The "
        "field email is empty. Row 151: The field email is empty. To send the file again, clear the task."
    )
    rows = [json.loads(line) for line in local(errors).read_text().splitlines()]
    assert rows == [
        {"job_id": job["id"], "error": f"Row {each}: The field email is empty"} for each in (1, 51, 101, 151)
    ]
    # A policy of the user's own may try again: the file is not sent twice.
    with pytest.raises(AirflowFailException, match="4 of 200 records failed"):
        upload(number, path, store, try_of(2, 2), **arguments)
    assert len(sandbox.bulk_jobs()) == 1
    assert upload(number, path, store, try_of(3, 4), **{**arguments, "max_errors": 4})["errors"] == 4
    assert len(sandbox.bulk_jobs()) == 2


@pytest.mark.parametrize("most", [4, None])
def test_as_many_errors_as_allowed_are_told_and_returned(number, path, task_log, caplog, most):
    local(path).write_bytes(BAD)
    caplog.set_level("WARNING", "airflow_provider_cloudelements")
    done = upload(number, path, identifier_field="email", max_errors=most)
    assert (done["rows"], done["records"], done["errors"]) == (ROWS, ROWS, 4)
    assert "4 records failed. The platform says: Row 1: The field email is empty." in caplog.text
    with pytest.raises(AirflowFailException, match="max_errors is 3"):
        upload(number, path, identifier_field="email", max_errors=3)


def test_a_file_of_errors_is_there_without_any_and_replaces_one_of_before(number, path, tmp_path):
    (tmp_path / "errors.jsonl").write_text("old")
    done = upload(number, path, errors_path=f"file://{tmp_path}/errors.jsonl")
    assert (done["errors"], done["errors_path"]) == (0, f"file://{tmp_path}/errors.jsonl")
    assert (tmp_path / "errors.jsonl").read_bytes() == b""


def test_errors_come_page_by_page_and_a_broken_page_leaves_no_file(sandbox, number, path, tmp_path):
    local(path).write_bytes(b"name\n" + b"N 1,2\n" * 1_000)
    store, errors = FakeStore(), tmp_path / "errors.jsonl"
    sandbox.add_fault("status", path="/bulk/*/errors", skip=2, count=2)
    arguments = {"errors_path": f"file://{errors}", "max_errors": None}
    with pytest.raises(CloudElementsServerError):
        upload(number, path, store, **arguments)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["contacts.csv"]
    done = upload(number, path, store, try_of(2), **arguments)  # goes on with the job that has completed
    assert (done["errors"], len(errors.read_text().splitlines()), len(sandbox.bulk_jobs())) == (
        1_000,
        1_000,
        1,
    )


@pytest.mark.parametrize("identifier", [None, "email"])
@pytest.mark.parametrize("status", ["ERROR", "ABORTED"])
def test_a_job_that_fails_is_repeated_only_if_that_makes_no_record_twice(
    sandbox, number, path, status, identifier
):
    store = FakeStore()
    sandbox.plan_bulk("fail", status=status, message="The vendor said no")
    with pytest.raises((CloudElementsBulkError, AirflowFailException), match="said no") as caught:
        upload(number, path, store, identifier_field=identifier)
    assert isinstance(caught.value, AirflowFailException) == (identifier is None)
    if identifier is None:
        assert "without identifier_field a second upload would make records twice" in str(caught.value)
        with pytest.raises(AirflowFailException, match=f"of an earlier try ended as {status}"):
            upload(number, path, store, try_of(2))
        assert len(sandbox.bulk_jobs()) == 1
    # A retry; without the identifier, a cleared task.
    upload(number, path, store, try_of(3, 0 if identifier else 3), identifier_field=identifier)
    assert len(sandbox.bulk_jobs()) == 2


def test_a_job_that_tells_nothing_of_some_rows_is_no_success(sandbox, number, path):
    sandbox.plan_bulk(rows=-7)
    with pytest.raises(
        AirflowFailException, match="says 193 records, and the file has 200 rows: it tells noth"
    ):
        upload(number, path)


@pytest.mark.parametrize(
    ("content", "file_format", "rows"),
    [
        (b"name,a\n\n\nN 1,2\n\r\n\nN 2,3\n\n\n", "csv", 2),
        (b'name\n"N\n\n1"\nN 2', "csv", 2),
        (b"\r\n\nname,a\nN 1,2\n", "csv", 1),
        (b'\n{"name": "N 1"}\n', "jsonl", 1),
        (b'{"name": "N 1"}\n\n\n{"name": "N 2"}\n\n', "jsonl", 2),
    ],
)
def test_empty_lines_are_no_rows_that_are_missed(sandbox, number, path, content, file_format, rows):
    local(path).write_bytes(content)
    assert upload(number, path, file_format=file_format)["records"] == rows


def test_secrets_in_errors_show_nowhere(sandbox, number, path, tmp_path, monkeypatch, caplog):
    user, token = sandbox.user_secret, "a-Token/of+one="
    errors = [f"Login {user} failed for {token}", "plain"]

    def script(call):
        if call.method == "POST":
            return answer({"id": "7", "status": "CREATED"})
        if call.target.endswith("/status"):
            return answer(
                {
                    "id": 7,
                    "status": "COMPLETED",
                    "recordsCount": 1,
                    "recordsFailedCount": 1,
                    "message": errors[0],
                }
            )
        return answer(errors)

    local(path).write_bytes(b"name\nN 1\n")
    with Wire(script) as wire:
        use(monkeypatch, wire.url, password=user)
        with pytest.raises(AirflowFailException) as caught:
            upload(None, path, FakeStore(), token=token, errors_path=f"file://{tmp_path}/errors.jsonl")
    told = str(caught.value) + (tmp_path / "errors.jsonl").read_text() + caplog.text
    assert "plain" in told
    assert_hidden(told, user, token)


def use(monkeypatch, url, **more):
    """Let the default connection lead to a server, whose calls are not repeated."""
    extra = {"organization_secret": "an-org-secret", "max_retries": 0, "create_timeout": 1}
    fields = {"conn_type": "cloudelements", "host": url, "password": "a-user-secret", "extra": extra, **more}
    monkeypatch.setenv("AIRFLOW_CONN_CLOUDELEMENTS_DEFAULT", json.dumps(fields))


# -- starts whose answer is lost -----------------------------------------------------------------------------

LOST = [{"action": "drop"}, *({"action": "status", "status": each} for each in (408, 499, 502, 504))]


@pytest.mark.parametrize("identifier", [None, "email"])
@pytest.mark.parametrize("fault", LOST, ids=str)
def test_a_start_whose_answer_is_lost_is_found_by_its_rows(sandbox, person, number, path, fault, identifier):
    sandbox.add_fault(**fault, path="/bulk/contacts", when="after")
    done = upload(number, path, FakeStore(), identifier_field=identifier)
    assert [each["id"] for each in sandbox.bulk_jobs()] == [done["job_id"]]
    assert (done["rows"], len(written(sandbox, number))) == (ROWS, ROWS)


def test_a_job_of_other_rows_is_not_taken_for_the_lost_one(sandbox, number, path):
    sandbox.add_fault("drop", path="/bulk/contacts", when="after")
    sandbox.plan_bulk(rows=1)
    with pytest.raises(
        AirflowFailException, match="says 201 records, and the file has 200 rows, so it may be"
    ):
        upload(number, path, FakeStore())


def test_of_several_jobs_none_is_taken_and_a_clear_sends_the_file(sandbox, person, number, path):
    store = FakeStore()
    other = start_another(sandbox, number)
    sandbox.add_fault("drop", path="/bulk/contacts", when="after")
    with pytest.raises(
        AirflowFailException, match=r"CloudElementsAmbiguousCreateError: .*nothing shows which"
    ):
        upload(number, path, store)
    assert len(uploads_of(sandbox)) == 2
    with pytest.raises(AirflowFailException, match="clear the task to send the file again"):
        upload(number, path, store, try_of(2))
    assert upload(number, path, store, try_of(3, 3))["job_id"] not in (other, None)
    assert len(uploads_of(sandbox)) == 3


def start_another(sandbox, number):
    """Start an upload of the same object as someone else would, and return its job's id."""
    with client_of(sandbox) as client:
        return client.instance(number).bulk.start_upload(
            "contacts", io.BytesIO(CSV), file_name="x", file_format="csv"
        )


def test_a_copy_of_a_mapped_task_takes_no_job_for_its_own(sandbox, number, path):
    sandbox.add_fault("drop", path="/bulk/contacts", when="after")
    with pytest.raises(AirflowFailException, match="nothing shows which is its own"):
        upload(number, path, FakeStore(), try_of(map_index=3))


@pytest.mark.parametrize("identifier", [None, "email"])
def test_a_start_that_never_arrived_is_looked_for_and_made_by_the_next_try(sandbox, number, path, identifier):
    store = FakeStore()
    sandbox.add_fault("drop", path="/bulk/contacts", when="before")
    with pytest.raises(CloudElementsTransportError, match="A later try looks for it first"):
        upload(number, path, store, identifier_field=identifier)
    assert sandbox.bulk_jobs() == []
    assert upload(number, path, store, try_of(2), identifier_field=identifier)["rows"] == ROWS
    assert len(sandbox.bulk_jobs()) == 1


def test_a_later_try_finds_what_nobody_could_look_for(sandbox, number, path):
    store = FakeStore()
    sandbox.add_fault("drop", path="/bulk/contacts", when="after")
    sandbox.add_fault("status", path="/bulk/jobs", count=2)
    with pytest.raises(CloudElementsTransportError, match="A later try looks for it first"):
        upload(number, path, store)
    done = upload(number, path, store, try_of(2))
    assert [each["id"] for each in sandbox.bulk_jobs()] == [done["job_id"]]
    assert (done["rows"], done["sha256"]) == (ROWS, hashlib.sha256(CSV).hexdigest())


@pytest.mark.parametrize("ahead", [3600, -3600])
def test_a_later_try_on_a_worker_of_another_clock_finds_it(sandbox, number, path, monkeypatch, ahead):
    worker, store = WorkerClock(ahead), FakeStore()
    for module in (bulk, upload_start, job_memory, clock):
        monkeypatch.setattr(module, "time", worker, raising=False)
    if ahead < 0:  # what began before the start is not the task's
        start_another(sandbox, number)
        time.sleep(3)
    sandbox.add_fault("drop", path="/bulk/contacts", when="after")
    sandbox.add_fault("status", path="/bulk/jobs", count=2)
    with pytest.raises(CloudElementsTransportError, match="A later try looks for it first"):
        upload(number, path, store)
    worker.ahead = 0
    done = upload(number, path, store, try_of(2))
    assert done["job_id"] == max(each["id"] for each in sandbox.bulk_jobs())
    assert len(sandbox.bulk_jobs()) == (2 if ahead < 0 else 1)


@pytest.mark.parametrize("identifier", [None, "email"])
def test_an_instance_whose_jobs_cannot_be_listed(sandbox, number, path, identifier):
    store = FakeStore()
    sandbox.add_fault("drop", path="/bulk/contacts", when="after")
    sandbox.add_fault("status", status=400, path="/bulk/jobs", count=None)
    if identifier is None:
        with pytest.raises(AirflowFailException, match="they cannot be listed"):
            upload(number, path, store)
        with pytest.raises(AirflowFailException, match="they cannot be listed"):
            upload(number, path, store, try_of(2))
        assert len(uploads_of(sandbox)) == 1
        return
    with pytest.raises(CloudElementsTransportError):
        upload(number, path, store, identifier_field=identifier)
    assert upload(number, path, store, try_of(2), identifier_field=identifier)["rows"] == ROWS


@pytest.mark.parametrize("status", [400, 401, 403, 413, 429])
def test_a_start_that_is_refused_is_no_doubt(sandbox, number, path, status):
    store = FakeStore()
    sandbox.add_fault("status", status=status, path="/bulk/contacts")
    before = len(sandbox.requests())
    with pytest.raises((CloudElementsError, AirflowFailException), match=str(status)):
        upload(number, path, store)
    assert not [each for each in sandbox.requests()[before:] if each["path"] == "/bulk/jobs"]
    assert json.loads(store.values["cloudelements_bulk_job"]) == {}


def test_an_answer_before_the_whole_file_came_is_no_success(number, path, monkeypatch):
    local(path).write_bytes(CSV + b"N more,more@example.com\r\n" * 400_000)
    calls = []

    def script(call):
        calls.append(call.method)
        return answer({"id": "7", "status": "CREATED"})

    with Wire(script) as wire:
        wire_reads_only_heads(monkeypatch)
        use(monkeypatch, wire.url)
        with pytest.raises((AirflowFailException, CloudElementsError)) as caught:
            upload(None, path, FakeStore(), token="a-token-of-one")
    if isinstance(caught.value, AirflowFailException):  # the answer got through before the reset
        assert "began bulk job 7 before it had the whole file. The job was cancelled" in str(caught.value)
        assert calls == ["POST", "PUT"]
    else:
        assert "was not sent to its end, so no job began" in str(caught.value)


def wire_reads_only_heads(monkeypatch):
    """Let a wire answer a POST without reading its body."""
    from tests.support import wire

    real = wire._read

    def read(stream, number):
        class Heads:
            def readline(self, *size):
                return stream.readline(*size)

            def read(self, _):
                return b""

        return real(Heads(), number)

    monkeypatch.setattr(wire, "_read", read)


def test_a_server_that_reads_nothing_ends_the_try_in_time(sandbox, number, path, monkeypatch):
    local(path).write_bytes(CSV + b"N more,more@example.com\r\n" * 800_000)
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        use(
            monkeypatch,
            url,
            extra={"organization_secret": "o", "max_retries": 0, "request_timeout": 1, "create_timeout": 1},
        )
        with pytest.raises(CloudElementsTransportError, match="not sent to its end, so no job began"):
            upload(None, path, FakeStore(), token="a-token-of-one")


@pytest.mark.parametrize(
    "seed", [*range(5), *(pytest.param(each, marks=pytest.mark.nightly) for each in range(5, 20))]
)
def test_a_connection_cut_at_a_random_place_starts_one_job_or_none(
    sandbox, person, number, path, monkeypatch, seed
):
    chance = random.Random(seed)  # noqa: S311
    local(path).write_bytes(CSV)
    store = FakeStore()
    with cutting(sandbox.url) as cutter:
        use(
            monkeypatch,
            cutter.url,
            password=sandbox.user_secret,
            extra={"organization_secret": sandbox.organization_secret, "max_retries": 1, "create_timeout": 1},
        )
        token = person.show(number)["token"]
        # Beyond the file there is little; the last places are in the head and in the end of the body.
        cutter.cut_after = chance.randrange(1, len(CSV) + 700)
        for each in range(1, 4):
            try:
                done = upload(None, path, store, try_of(each, 3), token=token, retries=3)
            except CloudElementsTransportError:
                continue
            break
    assert [each["id"] for each in sandbox.bulk_jobs()] == [done["job_id"]]
    assert (done["rows"], len(written(sandbox, number))) == (ROWS, ROWS)


# -- tries ---------------------------------------------------------------------------------------------------


@pytest.fixture
def killed_while_waiting(monkeypatch, sandbox):
    return ending_while_it_waits(monkeypatch, sandbox, upload)


def test_a_later_try_goes_on_with_the_job_and_needs_no_file(sandbox, number, path, killed_while_waiting):
    store = FakeStore()
    killed_while_waiting(number, path, store)
    local(path).unlink()
    done = upload(number, path, store, try_of(2))
    assert [each["id"] for each in sandbox.bulk_jobs()] == [done["job_id"]]
    assert (done["rows"], done["sha256"]) == (ROWS, hashlib.sha256(CSV).hexdigest())


def test_a_job_that_succeeded_is_not_sent_again_by_a_retry_but_by_a_clear(sandbox, number, path):
    store = FakeStore()
    first = upload(number, path, store, try_of(1, 2))
    # Airflow may not have heard of the success: the worker was lost behind it.
    assert upload(number, path, store, try_of(2, 2)) == first
    assert len(sandbox.bulk_jobs()) == 1
    assert upload(number, path, store, try_of(3, 4))["job_id"] != first["job_id"]


@pytest.mark.parametrize("changed", [{"identifier_field": "email"}, {"object_name": "leads"}])
def test_another_upload_does_not_go_on_with_the_job(sandbox, number, path, killed_while_waiting, changed):
    store = FakeStore()
    killed_while_waiting(number, path, store)
    upload(number, path, store, try_of(2), **changed)
    assert len(sandbox.bulk_jobs()) == 2


def test_a_worker_that_is_killed_while_it_sends_or_waits_for_the_answer(sandbox, number, path, monkeypatch):
    store = FakeStore()
    for place in ("send_form", "parse"):
        with monkeypatch.context() as patched:
            if place == "parse":  # the platform has answered
                from airflow_provider_cloudelements.client import bulk

                patched.setattr(bulk.BulkJob, "parse", lambda *_: (_ for _ in ()).throw(Killed))
            else:
                patched.setattr(uploads.Source, "read", lambda *_: (_ for _ in ()).throw(Killed))
            with pytest.raises(Killed):
                upload(number, path, store)
    done = upload(number, path, store, try_of(2))
    assert [each["id"] for each in sandbox.bulk_jobs()] == [done["job_id"]]


def test_what_the_store_shows_names_neither_file_nor_object(number, path):
    store = FakeStore()
    upload(number, path, store, identifier_field="email")
    shown = json.dumps(store.values)
    assert not any(each in shown for each in ("contacts", "email", "N 1"))


def in_a_run(try_number, max_tries, began=None):
    """Return the context of a try on Airflow 3.1 and 3.2, in a run that began a moment ago or earlier."""
    began = began or datetime.datetime.now(datetime.UTC)
    return {**context_of(try_of(try_number, max_tries)), "dag_run": SimpleNamespace(start_date=began)}


def test_without_a_store_a_retry_sends_only_if_no_upload_began_since_the_run_did(sandbox, number, path):
    began = datetime.datetime.now(datetime.UTC)
    operator = operator_of(number, path, retries=2)
    sandbox.add_fault("drop", path="/bulk/contacts", when="before")
    with pytest.raises(CloudElementsTransportError, match="A later try looks whether any began"):
        operator.execute(in_a_run(1, 2, began))
    assert operator.execute(in_a_run(2, 2, began))["rows"] == ROWS
    with pytest.raises(AirflowFailException, match="an earlier try may have started one"):
        operator.execute(in_a_run(3, 2, began))
    assert len(sandbox.bulk_jobs()) == 1
    operator.execute(in_a_run(4, 5, began))  # cleared
    operator_of(number, path, identifier_field="email", retries=2).execute(in_a_run(5, 5, began))
    assert len(sandbox.bulk_jobs()) == 3


# -- signals -------------------------------------------------------------------------------------------------


def test_a_task_that_is_told_to_end_cancels_its_job_and_the_next_try_refuses(sandbox, number, path):
    sandbox.configure(bulk_duration=60)
    store = FakeStore()
    operator = operator_of(number, path, poke_interval=30)

    def tell():
        wait_for(lambda: [each for each in sandbox.bulk_jobs() if each["status"] == "RUNNING"], 20)
        os.kill(os.getpid(), signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, lambda *_: operator.on_kill())
    try:
        sandbox.configure(bulk_duration=8)
        threading.Thread(target=tell, daemon=True).start()
        with pytest.raises(CloudElementsBulkError, match="was told to end while bulk job"):
            operator.execute(context_of(try_of(), store))
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert [each["status"] for each in sandbox.bulk_jobs()] == ["CANCELLED"]
    operator.on_kill()  # after the work there is nothing to end
    with pytest.raises(AirflowFailException, match="of an earlier try ended as CANCELLED"):
        upload(number, path, store, try_of(2))
    assert len(sandbox.bulk_jobs()) == 1


def test_a_task_that_is_told_to_end_while_it_sends_starts_no_job(sandbox, number, path, monkeypatch):
    store, real = FakeStore(), uploads.Source.read
    operator = operator_of(number, path)

    def read(self, size):
        operator.on_kill()
        return real(self, size)

    monkeypatch.setattr(uploads.Source, "read", read)
    with pytest.raises(CloudElementsBulkError, match="was told to end before it knew of a bulk job"):
        operator.execute(context_of(try_of(), store))
    assert sandbox.bulk_jobs() == []
    assert json.loads(store.values["cloudelements_bulk_job"]) == {}


def times_out(operator, context):
    """Execute as Airflow does with an ``execution_timeout``: a signal's handler raises, then on_kill."""

    def end(*_):
        raise AirflowTaskTimeout

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, 1.5)
    try:
        with pytest.raises(AirflowTaskTimeout):
            operator.execute(context)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    operator.on_kill()


@pytest.mark.parametrize("kind", [CloudElementsUploadBulkOperator, CloudElementsDownloadBulkOperator])
def test_the_execution_timeout_cancels_the_job(sandbox, number, path, kind):
    sandbox.configure(bulk_duration=60)
    arguments = {"task_id": "late", "object_name": "contacts", "deferrable": False, "poke_interval": 30}
    times_out(kind(instance_id=number, path=path, **arguments), context_of(try_of(), FakeStore()))
    assert [each["status"] for each in sandbox.bulk_jobs()] == ["CANCELLED"]


def test_a_job_that_takes_too_long_is_cancelled_and_not_repeated(sandbox, number, path):
    sandbox.configure(bulk_duration=60)
    with pytest.raises(
        AirflowFailException, match=r"not ended after 1 seconds \(timeout\), and was cancelled"
    ):
        upload(number, path, FakeStore(), timeout=1)
    with pytest.raises(
        CloudElementsBulkError, match=r"not ended after 1 seconds \(timeout\), and was cancelled"
    ):
        upload(number, path, FakeStore(), timeout=1, identifier_field="email")
    assert [each["status"] for each in sandbox.bulk_jobs()] == ["CANCELLED", "CANCELLED"]


# -- deferred ------------------------------------------------------------------------------------------------


@pytest.fixture
def quick_hub(monkeypatch):
    monkeypatch.setattr(poll, "FLOOR", 0.02)
    monkeypatch.setattr(poll, "GATHER", 0.02)


async def resumed(operator, store=None):
    """Defer, run the trigger as the triggerer does, and go on in a new process of the task."""
    context = context_of(try_of(), store)
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute(context)
    path, stored = deferred.value.trigger.serialize()
    assert path.endswith("CloudElementsBulkJobTrigger")
    trigger = type(deferred.value.trigger)(**json.loads(json.dumps(stored)))
    trigger.poll_interval = 0.05
    event = json.loads(json.dumps(await event_of(trigger)))
    method = getattr(copy.copy(operator), deferred.value.method_name)
    return await asyncio.to_thread(method, context, event=event)


@pytest.mark.usefixtures("quick_hub")
@pytest.mark.parametrize("stored", [True, False])
async def test_a_deferred_task_ends_as_one_that_waits(sandbox, number, path, stored):
    sandbox.configure(bulk_duration=1)
    done = await resumed(operator_of(number, path, deferrable=True), FakeStore() if stored else None)
    (job,) = sandbox.bulk_jobs()
    assert (done["job_id"], done["rows"], done["records"]) == (job["id"], ROWS, ROWS)
    assert done["sha256"] == hashlib.sha256(CSV).hexdigest()


@pytest.mark.usefixtures("quick_hub")
async def test_a_deferred_job_that_fails_says_why_and_is_not_repeated(sandbox, number, path):
    sandbox.configure(bulk_duration=1)
    sandbox.plan_bulk("fail", message="The vendor said no")
    with pytest.raises(AirflowFailException, match="The platform says: The vendor said no"):
        await resumed(operator_of(number, path, deferrable=True), FakeStore())


def test_a_cleared_deferred_task_goes_on_with_its_job(sandbox, number, path):
    store = FakeStore()
    sandbox.configure(bulk_duration=2)
    with pytest.raises(TaskDeferred):
        upload(number, path, store, deferrable=True)
    done = upload(number, path, store, try_of(2, 1), deferrable=False)
    assert [each["id"] for each in sandbox.bulk_jobs()] == [done["job_id"]]


# -- lineage -------------------------------------------------------------------------------------------------


class Events(UserDict):
    """The events of a task's outlets, as Airflow gives them to a running task. Assets of 3.1 are no keys."""

    def __getitem__(self, outlet):
        return self.data[outlet.name]


def test_the_file_is_the_input_and_the_object_the_output(sandbox, number, path, monkeypatch):
    monkeypatch.setattr(lineage, "_openlineage_is_on", lambda: True)
    events = Events(contacts=SimpleNamespace(extra={}))
    operator = operator_of(number, path, outlets=[Asset("contacts")])
    operator.execute({**context_of(try_of()), "outlet_events": events})
    told = operator.get_openlineage_facets_on_complete(None)
    (source,), (target,) = told.inputs, told.outputs
    assert (source.namespace, source.name) == ("file", str(local(path)))
    digest = hashlib.sha256(CSV).hexdigest()
    assert source.facets["version"].datasetVersion == digest
    host = sandbox.url.removeprefix("http://")
    assert (target.namespace, target.name) == (f"cloudelements://{host}", "closeio/contacts")
    assert target.outputFacets["outputStatistics"].rowCount == ROWS
    assert events.data["contacts"].extra == {
        "instance_id": number,
        "object": "contacts",
        "rows": ROWS,
        "bytes": len(CSV),
        "path": path,
        "sha256": digest,
    }


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"file_format": "json"}, "file_format must be one of 'csv', 'jsonl'"),
        ({"max_errors": -1}, "max_errors must be a whole number from 0 on"),
        ({"max_errors": "3"}, "max_errors must be a whole number"),
        ({"poke_interval": 0}, "poke_interval must be a number of seconds, at least 1"),
    ],
)
def test_wrong_switches_are_named_when_the_dag_is_parsed(path, arguments, said):
    with pytest.raises(ValueError, match=said):
        operator_of(5, path, **arguments)
    with pytest.raises(ValueError, match=said):
        CloudElementsUploadBulkOperator.partial(task_id="mapped", **arguments)
