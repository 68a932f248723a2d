"""Bulk jobs through the client: starts, states, errors, and results that break off."""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Callable
from typing import Any

import pytest
from urllib3.exceptions import NewConnectionError

from airflow_provider_cloudelements.client import InstanceClient
from airflow_provider_cloudelements.client.bulk import BulkJob, BulkStatus
from airflow_provider_cloudelements.client.wire import multipart
from airflow_provider_cloudelements.exceptions import (
    CloudElementsError,
    CloudElementsInstanceDisabledError,
    CloudElementsNotFoundError,
    CloudElementsServerError,
    CloudElementsTimeoutError,
    CloudElementsTransportError,
    CloudElementsValidationError,
)
from airflow_provider_cloudelements.sandbox import Sandbox
from tests.support.hidden import assert_hidden, shown
from tests.support.platform import Person, client_of
from tests.support.wire import TOKEN, Answer, Call, Wire, account, answer

RECORDS = 3_000


@pytest.fixture
def instance(cloudelements_sandbox: Sandbox) -> InstanceClient:
    made = Person(cloudelements_sandbox).make("basic")
    cloudelements_sandbox.set_records(made, "contacts", RECORDS)
    return client_of(cloudelements_sandbox, max_retries=2).instance(made)


@pytest.fixture
def job(instance: InstanceClient) -> int:
    return instance.bulk.start_download("contacts", file_format="csv")


def read(instance: InstanceClient, job: int, **more: Any) -> bytes:
    with instance.bulk.result(job, "contacts", "csv", **more) as body:
        return b"".join(body)


def test_both_versions_say_the_same_of_a_job(instance: InstanceClient) -> None:
    jobs = [
        instance.bulk.start_query("select id from contacts limit 5"),
        instance.bulk.start_download("contacts", file_format="jsonl", fields=["id"], limit=5),
    ]
    states = [instance.bulk.status(each) for each in jobs]
    assert [(each.id, each.status, each.records, each.failed) for each in states] == [
        (each, BulkStatus.COMPLETED, 5, 0) for each in jobs
    ]
    assert (states[1].object_name, states[1].direction) == ("contacts", "DOWNLOAD")
    assert (states[1].file_format, states[1].message) == ("JSONL", None)


def test_what_is_asked_for_arrives(instance: InstanceClient) -> None:
    job = instance.bulk.start_download(
        "contacts", file_format="csv", where={"id": "O'Hara' or '1'='1"}, fields=["id"]
    )
    assert read(instance, job) == b"id\r\n"  # no value changes the query
    with pytest.raises(CloudElementsValidationError, match="file_format must be one of 'csv', 'jsonl'"):
        instance.bulk.start_download("contacts", file_format="xml")
    with pytest.raises(CloudElementsValidationError, match="fields must be a list of texts"):
        instance.bulk.start_download("contacts", file_format="csv", fields="id")


@pytest.mark.parametrize(("version", "lines"), [(2, RECORDS), (3, RECORDS)])
def test_json_lines_of_both_versions(instance: InstanceClient, version: int, lines: int) -> None:
    bulk = instance.bulk
    job = (
        bulk.start_query("select * from contacts")
        if version == 2
        else bulk.start_download("contacts", file_format="jsonl")
    )
    with bulk.result(job, "contacts", "jsonl", version=version) as body:
        content = b"".join(body)
        assert (body.size, body.begin) == (len(content), 0)
    assert content.count(b"\n") == lines
    assert content.startswith(b"{")


def test_a_job_runs_is_cancelled_and_listed(instance: InstanceClient, cloudelements_sandbox: Sandbox) -> None:
    cloudelements_sandbox.configure(bulk_duration=60)
    job = instance.bulk.start_download("contacts", file_format="csv", where={"id": "5"})
    assert not instance.bulk.status(job).status.is_terminal
    instance.bulk.cancel(job)
    assert instance.bulk.status(job).status is BulkStatus.CANCELLED
    (row,) = instance.bulk.list({"object_name": "contacts"})
    assert (row.id, row.query) == (job, "select * from contacts where id='5'")
    assert row.created_date is not None
    assert list(instance.bulk.list({"object_name": "leads"})) == []


def test_errors_come_page_by_page_and_are_fit_to_show(cloudelements_sandbox: Sandbox) -> None:
    texts = [f"Row {number}: wrong" for number in range(450)]

    def page(call: Call) -> Answer:
        begin = int(call.target.partition("nextPage=")[2] or 0)
        more = {"Elements-Next-Page-Token": str(begin + 200)} if begin + 200 < len(texts) else {}
        return answer(texts[begin : begin + 200], headers=more)

    with Wire(page) as wire:
        assert list(account(wire.url).client.instance(5, TOKEN).bulk.errors(7)) == texts
        assert len(wire.calls) == 3
    text = account("http://127.0.0.1:9").client.instance(5, TOKEN).shown(f"a\n{TOKEN} b")
    assert text == "a *** b"


@pytest.mark.parametrize(
    ("word", "status", "ended"),
    [
        ("COMPLETE", BulkStatus.COMPLETED, True),
        ("CANCELED", BulkStatus.CANCELLED, True),
        ("aborted", BulkStatus.ABORTED, True),
        ("ERROR", BulkStatus.ERROR, True),
        ("CANCELLATION_PENDING", BulkStatus.CANCELLATION_PENDING, False),
        ("STARTED", BulkStatus.STARTED, False),
        ("PAUSED", BulkStatus.UNKNOWN, False),
        (None, BulkStatus.UNKNOWN, False),
        (5, BulkStatus.UNKNOWN, False),
    ],
)
def test_states_have_one_spelling(word: Any, status: BulkStatus, ended: bool) -> None:
    for field in ("status", "jobStatus", "job_state"):
        job = BulkJob.parse({"id": "7", field: word})
        assert (job.status, job.status.is_terminal) == (status, ended)


@pytest.mark.parametrize("number", [1722, 1722.0, "1722", "1722.0"], ids=repr)
def test_numbers_come_in_many_forms(number: Any) -> None:
    job = BulkJob.parse({"id": number, "recordCount": number, "errorCount": "0"})
    assert (job.id, job.records, job.failed) == (1722, 1722, 0)


@pytest.mark.parametrize("number", [None, 0, -1, 1.5, "x", True, False, [7]], ids=repr)
def test_what_is_no_id_is_refused(number: Any) -> None:
    with pytest.raises(CloudElementsServerError, match="no id of the bulk job"):
        BulkJob.parse({"id": number})


def test_what_is_not_there_and_who_may_not(instance: InstanceClient, cloudelements_sandbox: Sandbox) -> None:
    for call in (instance.bulk.status, instance.bulk.cancel, lambda job: read(instance, job)):
        with pytest.raises(CloudElementsNotFoundError):
            call(999)
    job = instance.bulk.start_download("contacts", file_format="csv")
    cloudelements_sandbox.set_instance(instance.instance_id or 0, disabled=True)
    with pytest.raises(CloudElementsInstanceDisabledError):
        read(instance, job)


# -- a result that is streamed -------------------------------------------------------------------------------


def test_the_rest_of_a_result(instance: InstanceClient, job: int) -> None:
    whole = read(instance, job)
    with instance.bulk.result(job, "contacts", "csv") as body:
        assert b"".join(body) == whole
        tag = body.tag
    with instance.bulk.result(job, "contacts", "csv", start=1000, tag=tag) as body:
        assert (body.begin, body.size, body.tag) == (1000, len(whole) - 1000, tag)
        assert b"".join(body) == whole[1000:]


def test_without_the_same_tag_or_ranges_all_comes(
    instance: InstanceClient, job: int, cloudelements_sandbox: Sandbox
) -> None:
    whole = read(instance, job)
    assert read(instance, job, start=1000) == whole  # which version the rest would be of is not known
    for tag in ('"another"', None):
        with instance.bulk.result(job, "contacts", "csv", start=1000, tag=tag) as body:
            assert (body.begin, b"".join(body)) == (0, whole)
    cloudelements_sandbox.configure(bulk_ranges="ignore")
    with instance.bulk.result(job, "contacts", "csv", start=1000, tag=body.tag) as body:
        assert (body.begin, body.tag, b"".join(body)) == (0, None, whole)


@pytest.mark.parametrize("transfer", ["length", "chunked"])
@pytest.mark.parametrize("cut", [0, 1, 70_000])
def test_a_body_that_breaks_off_is_never_taken_for_a_whole_one(
    instance: InstanceClient, job: int, cloudelements_sandbox: Sandbox, transfer: str, cut: int
) -> None:
    whole = read(instance, job)
    cloudelements_sandbox.configure(bulk_transfer=transfer)
    cloudelements_sandbox.add_fault("cut", path="/bulk/*/contacts", bytes=cut)
    came: list[bytes] = []
    with instance.bulk.result(job, "contacts", "csv") as body:
        parts = iter(body)
        with pytest.raises(CloudElementsTransportError, match=r"broke|ended after"):
            came.extend(parts)
    assert whole.startswith(b"".join(came))
    assert sum(map(len, came)) <= cut


def test_a_call_that_gets_no_answer_is_repeated(
    instance: InstanceClient, job: int, cloudelements_sandbox: Sandbox
) -> None:
    cloudelements_sandbox.add_fault("status", status=503, path="/bulk/*/contacts")
    cloudelements_sandbox.add_fault("drop", path="/bulk/*/contacts")
    assert read(instance, job).count(b"\r\n") == RECORDS + 1


def test_connections_go_back_to_the_pool(instance: InstanceClient, job: int) -> None:
    import requests.adapters

    made: list[object] = []
    session = instance._instances.http._session
    adapter = session.get_adapter(session_url := instance._instances.http.settings.base_url)
    assert isinstance(adapter, requests.adapters.HTTPAdapter)
    for _ in range(3):
        read(instance, job)
        pool = adapter.poolmanager.connection_from_url(session_url)
        made.append(pool.num_connections)
    assert made == [made[0]] * 3


def streamed(script: Callable[[Call], Answer] | Answer) -> tuple[bytes, Wire]:
    with Wire(script) as wire:
        instance = account(wire.url, request_timeout=0.5, max_retries=0).client.instance(5, TOKEN)
        return read(instance, 7), wire


def test_the_call_asks_for_the_body_as_it_is() -> None:
    content, wire = streamed(answer(b"id\r\n1\r\n"))
    assert content == b"id\r\n1\r\n"
    (call,) = wire.calls
    assert call.header("Accept-Encoding") == "identity"
    assert call.header("Accept") == "text/csv"
    assert call.header("Range") is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (answer(b"x", headers={"Content-Encoding": "gzip"}), "the body is compressed"),
        (answer(b"x", 206), "does not say which part"),
        (answer(b"x", 206, {"Content-Range": "bytes */5"}), "does not say which part"),
    ],
)
def test_bodies_that_cannot_be_placed_are_refused(given: Answer, said: str) -> None:
    with pytest.raises(CloudElementsServerError, match=said):
        streamed(given)


def test_a_weak_tag_names_no_bytes() -> None:
    with Wire(answer(b"x", headers={"ETag": 'W/"5"'})) as wire:
        instance = account(wire.url).client.instance(5, TOKEN)
        with instance.bulk.result(7, "contacts", "csv") as body:
            assert body.tag is None


def test_a_server_that_stops_in_the_middle_is_left() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello"
    with pytest.raises(CloudElementsTimeoutError) as caught:
        streamed(Answer(head, "stall"))
    assert_hidden(shown(caught.value), TOKEN)


def test_a_server_that_is_slow_but_goes_on_is_waited_for() -> None:
    # Twenty parts, 0.05 s apart, take longer than the time-out of 0.5 s, which is one of each part.
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n"
    content, _ = streamed(Answer(head, "close", [b"x"] * 20))
    assert hashlib.sha256(content).digest() == hashlib.sha256(b"x" * 20).digest()


# -- uploads -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file_format", "content"),
    [("csv", b"name,email\r\nA,a\r\nB,b\r\n"), ("jsonl", b'{"name": "A"}\n{"name": "B"}\n')],
)
def test_an_upload_is_what_the_platform_takes(
    instance: InstanceClient, cloudelements_sandbox: Sandbox, file_format: str, content: bytes
) -> None:
    job = instance.bulk.start_upload(
        "leads", io.BytesIO(content), file_name="leads", file_format=file_format, identifier_field="name"
    )
    found = instance.bulk.status(job)
    assert (found.status, found.records, found.failed) == (BulkStatus.COMPLETED, 2, 0)
    (listed,) = instance.bulk.list({"object_name": "leads"})
    assert (listed.id, listed.direction) == (job, "UPLOAD")
    seen = cloudelements_sandbox.bulk_jobs()[-1]["upload"]
    assert (seen["bytes"], seen["identifier"]) == (len(content), "name")


def test_what_cannot_be_uploaded_is_refused(instance: InstanceClient) -> None:
    file = io.BytesIO(b"name\nA\n")
    with pytest.raises(CloudElementsValidationError, match="object_name must not be 'query'"):
        instance.bulk.start_upload("query", file, file_name="x", file_format="csv")
    with pytest.raises(CloudElementsValidationError, match="file_format must be one of 'csv', 'jsonl'"):
        instance.bulk.start_upload("leads", file, file_name="x", file_format="json")
    assert list(instance.bulk.list()) == []


class Slow(io.BytesIO):
    """A file that is read slowly, and counts how often it is begun."""

    begun = 0

    def seek(self, offset: int, whence: int = 0) -> int:
        self.begun += (offset, whence) == (0, 0)
        return super().seek(offset, whence)

    def read(self, size: int | None = -1) -> bytes:
        time.sleep(0.35)
        return super().read(size)


def test_each_piece_of_an_upload_has_the_time_of_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multipart, "_PIECE", 10)
    file = Slow(b"x" * 35)
    with Wire(answer({"id": "7", "status": "CREATED"})) as wire:
        instance = account(wire.url, request_timeout=1.0, create_timeout=1.0).client.instance(5, TOKEN)
        assert instance.bulk.start_upload("leads", file, file_name="x", file_format="csv") == 7
    (call,) = wire.calls
    assert call.header("Content-Length") == str(len(call.body))
    assert call.header("Transfer-Encoding") is None
    assert call.body.count(b"x" * 35) == 1


@pytest.mark.parametrize("status", [429, 502, 503, 504, 408])
def test_an_upload_is_never_sent_twice(status: int) -> None:
    file = Slow(b"x")
    with Wire(answer({"message": "no"}, status)) as wire:
        instance = account(wire.url, max_retries=3).client.instance(5, TOKEN)
        with pytest.raises(CloudElementsError):
            instance.bulk.start_upload("leads", file, file_name="x", file_format="csv")
    assert (len(wire.calls), file.begun) == (1, 1)


def test_an_upload_that_could_not_leave_is_sent_from_its_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    from urllib3.connection import HTTPConnection

    real, tries = HTTPConnection._new_conn, []

    def refuse(self: HTTPConnection) -> Any:
        tries.append(1)
        if len(tries) == 1:
            raise NewConnectionError(self, "refused")
        return real(self)

    monkeypatch.setattr(HTTPConnection, "_new_conn", refuse)
    with Wire(answer({"id": "7", "status": "CREATED"})) as wire:
        instance = account(wire.url, max_retries=1).client.instance(5, TOKEN)
        file = io.BytesIO(b"some rows")
        assert instance.bulk.start_upload("leads", file, file_name="x", file_format="csv") == 7
    assert len(tries) == 2
    assert wire.calls[-1].body.count(b"some rows") == 1
