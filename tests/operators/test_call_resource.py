"""The operator that calls a vendor's resource, and @task.cloudelements, against the sandbox."""

from __future__ import annotations

import functools
import json
import os
import traceback
import tracemalloc
from urllib.parse import parse_qs, urlsplit

import msgspec
import pendulum
import pytest
from airflow.sdk import DAG, ObjectStoragePath

from airflow_provider_cloudelements.compat import AirflowFailException
from airflow_provider_cloudelements.decorators.instance import cloudelements_task
from airflow_provider_cloudelements.exceptions import (
    CloudElementsNotFoundError,
    CloudElementsServerError,
    CloudElementsTransportError,
)
from airflow_provider_cloudelements.operators.records import CloudElementsCallResourceOperator
from tests.support.context import FakeTi, context_of
from tests.support.platform import known_to_airflow
from tests.support.wire import TOKEN, Wire, answer, page


@pytest.fixture
def number(person):
    return person.make("basic")


def operator_of(number, path="/leads", **arguments):
    return CloudElementsCallResourceOperator(
        **{"task_id": "call", "instance_id": number, "path": path, **arguments}
    )


def call(number, path="/leads", ti=None, **arguments):
    return operator_of(number, path, **arguments).execute(context_of(ti or FakeTi()))


def posts(sandbox):
    return [each for each in sandbox.requests() if (each["method"], each["path"]) == ("POST", "/leads")]


def make(number, count, **fields):
    return [call(number, method="POST", json={"name": f"Lead {n}", **fields})["id"] for n in range(count)]


@pytest.fixture
def wired(sandbox, monkeypatch):
    """Give a function that makes a server of any answers known to Airflow."""

    def start(script):
        wire = Wire(script)
        known = json.loads(os.environ["AIRFLOW_CONN_CLOUDELEMENTS_DEFAULT"])
        monkeypatch.setenv("AIRFLOW_CONN_CLOUDELEMENTS_DEFAULT", json.dumps({**known, "host": wire.url}))
        return wire

    return start


def lines(path):
    return [json.loads(each) for each in ObjectStoragePath(path).read_bytes().splitlines()]


# -- one call ------------------------------------------------------------------------------------------------


def test_a_record_is_made_read_changed_and_deleted(sandbox, number):
    made = call(number, method="POST", json={"name": "Ada", "city": "London"})
    path = ["leads", made["id"]]
    assert call(number, path, method="PATCH", json={"city": "Paris"})["name"] == "Ada"
    assert call(number, path, response_filter=lambda lead: lead["city"]) == "Paris"
    assert call(number, path, method="PUT", json={"name": "Bob"})["name"] == "Bob"
    assert call(number, path, method="DELETE") is None
    with pytest.raises(AirflowFailException, match="answered 404"):
        call(number, path)


def test_by_the_token_alone_it_needs_no_look_up(sandbox, number, person):
    token = person.call("GET", f"/instances/{number}")["token"]
    before = len(sandbox.requests())
    assert isinstance(call(None, token=token), list)
    assert [each["path"] for each in sandbox.requests()[before:]] == ["/leads"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"instance_id": None}, "instance_id must be"),
        ({"token": "***"}, "token consists of asterisks"),
        ({"path": "leads"}, "path must begin with a slash"),
        ({"path": "/leads?where=x"}, "hold no query"),
        ({"path": "/leads/../instances"}, "hold no query"),
        ({"path": "/leads/%2E%2e/instances"}, "hold no query"),
        ({"path": ["leads", ".."]}, "A part of path must be"),
        ({"path": []}, "path must be a text, or a list"),
        ({"where": {"a": "\\"}, "paginate": True}, "holds a backslash"),
        ({"where": {"a": 1}, "query": {"where": "b=2"}, "paginate": True}, "where: given twice"),
        ({"where": {"a": 1}, "query": {"where": "b=2"}}, "where: given twice"),
        ({"query": 5}, "query must be a dictionary"),
        ({"max_xcom_bytes": 5}, "more than 5 bytes"),
        ({"paginate": True, "output_path": "file:///tmp/"}, "output_path must be the address of a file"),
        ({"paginate": True, "output_path": "nowhere://x"}, "library reaches output_path"),
        ({"paginate": True, "output_path": "None"}, "output_path is 'None'"),
    ],
    ids=str,
)
def test_a_wrong_argument_fails_at_once_by_its_name(sandbox, number, arguments, said):
    make(number, 1)
    with pytest.raises(AirflowFailException, match=said):
        call(
            **{
                "number": number,
                **{("number" if key == "instance_id" else key): value for key, value in arguments.items()},
            }
        )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"method": "TRACE"}, "method must be one of"),
        ({"paginate": "yes"}, "paginate must be True or False"),
        ({"paging": "offset"}, "paging must be one of"),
        ({"paginate": True, "method": "POST"}, "method must be 'GET'"),
        ({"output_path": "file:///tmp/x"}, "give paginate=True"),
        ({"paginate": True, "max_xcom_records": 0}, "needs an output_path"),
        ({"idempotent_by": "name"}, "for method='POST'"),
        ({"response_filter": 5}, "must be a function"),
        ({"max_records": 0}, "max_records"),
        ({"first_page": -1}, "first_page must be a whole number from 0 on"),
        ({"first_page": "1"}, "first_page"),
        ({"settle_time": -1}, "settle_time"),
    ],
    ids=str,
)
def test_a_wrong_switch_is_refused_when_the_dag_is_parsed(arguments, said):
    with pytest.raises((TypeError, ValueError), match=said):
        operator_of(5, **arguments)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"method": "TRACE"}, "method must be one of"),
        ({"paginate": "yes"}, "paginate must be True or False"),
        ({"paging": "offset"}, "paging must be one of"),
        ({"first_page": -1}, "first_page must be"),
        ({"max_records": 0}, "max_records must be"),
        ({"max_xcom_records": -1}, "max_xcom_records must be"),
        ({"max_xcom_bytes": 0}, "max_xcom_bytes must be"),
        ({"response_filter": 5}, "response_filter must be"),
        ({"settle_time": "long"}, "settle_time must be"),
    ],
    ids=str,
)
def test_a_wrong_switch_of_mapped_copies_is_refused_when_the_dag_is_parsed(arguments, said):
    with pytest.raises((TypeError, ValueError), match=said):
        CloudElementsCallResourceOperator.partial(task_id="call", **arguments)


def test_a_query_written_as_a_text_is_read_in_a_dag_of_native_objects(sandbox, number):
    with DAG(
        "a_dag",
        schedule=None,
        start_date=pendulum.datetime(2026, 1, 1),
        render_template_as_native_obj=True,
    ):
        operator = operator_of(number, query='{"pageSize": {{ 1 }}}', paginate=True)
    operator.render_template_fields({})
    assert operator.secret("query") == {"pageSize": 1}


def test_page_numbers_are_the_operators_own(sandbox, number):
    with pytest.raises(AirflowFailException, match="page: with paging='page'"):
        call(number, paginate=True, paging="page", query={"page": 3})


def test_a_half_of_a_surrogate_pair_is_no_value_to_look_for(sandbox, number):
    with pytest.raises(AirflowFailException, match=r"where\['external_id'\]: the value holds half"):
        once(number, {"external_id": "cut \ud83d"})
    assert posts(sandbox) == []


@pytest.mark.parametrize("value", ["O'Hara", "' OR 'a'='a", "100%", "a/b?c#d", "日本", "two\nlines"])
def test_a_hostile_value_finds_its_own_record_alone(sandbox, number, value):
    make(number, 2)
    (own,) = make(number, 1, city=value)
    found = call(number, where={"city": value}, paginate=True)
    assert [each["id"] for each in found["records"]] == [own]
    assert [each["id"] for each in call(number, where={"city": value})] == [own]


@pytest.mark.parametrize("record", ["a/b", "a b%2F", "x?y=1#z", "ü", "%2e%2e"])
def test_a_hostile_id_is_looked_up_and_is_no_other_path(sandbox, number, record):
    before = len(sandbox.requests())
    with pytest.raises(AirflowFailException, match="404"):
        call(number, ["leads", record])
    (last,) = [each for each in sandbox.requests()[before:] if each["path"].startswith("/leads")]
    assert last["path"].count("/") == 2


# -- a create that is not repeated ---------------------------------------------------------------------------


LOST = [{"action": "drop"}, *({"action": "status", "status": each} for each in (408, 499, 502))]


@pytest.mark.parametrize("fault", LOST, ids=str)
def test_a_lost_answer_is_found_out_and_a_later_try_makes_no_second_record(sandbox, number, fault):
    record = {"name": "Once", "external_id": "run-1"}
    sandbox.add_fault(**fault, when="after", method="POST", path="/leads")
    first = call(number, method="POST", json=record, idempotent_by="external_id")
    again = call(number, ti=FakeTi(2), method="POST", json=record, idempotent_by="external_id")
    assert (first["id"], len(posts(sandbox))) == (again["id"], 1)


def test_a_create_in_doubt_is_left_to_a_later_try(sandbox, number):
    record = {"name": "Once", "external_id": "run-1"}
    sandbox.add_fault("drop", when="before", method="POST", path="/leads")
    with pytest.raises(CloudElementsTransportError, match="A later try looks for it"):
        once(number, record, settle_time=0)
    assert len(posts(sandbox)) == 1
    made = once(number, record)
    assert [each["id"] for each in call(number)].count(made["id"]) == 1
    assert len(posts(sandbox)) == 2


def once(number, record, **arguments):
    return call(number, **{"method": "POST", "json": record, "idempotent_by": "external_id", **arguments})


def leads_of(number, **fields):
    return call(number, where=fields, paginate=True)["count"]


def test_the_first_try_looks_too(sandbox, number):
    record = {"name": "Once", "external_id": "run-1"}
    assert once(number, record)["id"] == once(number, record)["id"]
    assert (leads_of(number, external_id="run-1"), len(posts(sandbox))) == (1, 1)


def test_what_a_create_still_at_work_makes_later_is_waited_for(sandbox, number, monkeypatch):
    """The try's time is over before the record is there; the look-ups go on for a while."""
    known_to_airflow(sandbox, monkeypatch, request_timeout=1, create_timeout=8, max_retries=0)
    record = {"name": "Once", "external_id": "run-1"}
    sandbox.add_fault("delay", seconds=2, when="before", method="POST", path="/leads")
    made = once(number, record)
    assert (leads_of(number, external_id="run-1"), len(posts(sandbox))) == (1, 1)
    assert made["external_id"] == "run-1"


@pytest.mark.parametrize("status", [403, 404, 500])
def test_a_failed_look_up_after_a_lost_create_does_not_hide_the_doubt(sandbox, number, status):
    record = {"name": "Once", "external_id": "run-1"}
    sandbox.add_fault("drop", when="before", method="POST", path="/leads")
    sandbox.add_fault("status", status=status, method="GET", path="/leads", skip=1, count=None)
    with pytest.raises(CloudElementsTransportError, match="not known whether the record was made") as caught:
        once(number, record, settle_time=1)
    assert caught.value.retryable
    assert len(posts(sandbox)) == 1


def test_a_failed_look_up_before_the_create_sends_nothing(sandbox, number):
    sandbox.add_fault("status", status=500, method="GET", path="/leads", count=None)
    with pytest.raises(CloudElementsServerError):
        once(number, {"external_id": "run-1"})
    assert posts(sandbox) == []


UNLIKE = [
    ("Run-1", "run-1"),
    (" run-1", "run-1"),
    (5, 5.0),
    (5, "05"),
    ("True", True),
    ("None", None),
    ("run-1", {"value": "run-1"}),
]


@pytest.mark.parametrize("held", [*(held for _, held in UNLIKE), ...], ids=str)
def test_a_record_that_came_back_without_the_value_is_a_doubt(wired, held):
    """As by a vendor that trims, converts or leaves out what it got."""
    sought = next((sought for sought, each in UNLIKE if each is held), "run-1")
    rows = [{"id": 1, **({} if held is ... else {"external_id": held})}]
    with wired(page(rows)) as wire:
        with pytest.raises(AirflowFailException, match="gave 1 records, and none has the value letter by"):
            once(None, {"external_id": sought}, token=TOKEN)
        assert [each.method for each in wire.calls] == ["GET"]


def test_the_one_that_has_the_value_is_found_among_others(wired):
    rows = [{"id": 1, "external_id": "RUN-1"}, {"id": 2, "external_id": "run-1"}, "no record"]
    with wired(page(rows)):
        assert once(None, {"external_id": "run-1"}, token=TOKEN)["id"] == 2


@pytest.mark.parametrize("field", ["external_id !=", "a b", "", " external_id", "null", "a='1' OR b"])
def test_what_names_no_field_is_refused(sandbox, number, field):
    with pytest.raises(AirflowFailException, match="idempotent_by must be the name of one field"):
        once(number, {field: "x"}, idempotent_by=field)
    assert posts(sandbox) == []


@pytest.mark.parametrize("native", [True, False])
def test_a_field_that_rendered_to_nothing_is_not_passed_over(sandbox, number, native):
    with DAG("moved", schedule=None, render_template_as_native_obj=native):
        operator = operator_of(number, method="POST", json={"name": "Once"}, idempotent_by="{{ found }}")
    operator.render_template_fields({"found": None})
    with pytest.raises(AirflowFailException, match=r"idempotent_by (must be|names) the"):
        operator.execute(context_of())
    assert posts(sandbox) == []


# -- values that Airflow cannot carry ------------------------------------------------------------------------

UNFIT = (
    b'{"half": "x\\ud83d", "nul": "a\\u0000b", "none": [NaN, 1e400, -Infinity], '
    b'"large": 98765432109876543210, "k\\ud83d": 1, "plain": [1.5, "\\u00e9", true, null]}'
)
FIT = {
    "half": "x\ufffd",
    "nul": "a\ufffdb",
    "none": [None, None, None],
    "large": "98765432109876543210",
    "k\ufffd": 1,
    "plain": [1.5, "é", True, None],
}


def carried(value):
    """Return what PostgreSQL and MessagePack would hold of a value; they refuse what is unfit."""
    assert "\\u0000" not in json.dumps(value, allow_nan=False)
    return msgspec.msgpack.decode(msgspec.msgpack.encode(value))


def test_an_answer_is_made_fit_before_it_is_returned(wired):
    with wired(answer(UNFIT, then="keep")):
        assert carried(call(None, token=TOKEN, method="POST", json={})) == FIT
        assert carried(call(None, token=TOKEN, response_filter=lambda one: [one["half"]])) == ["x\ufffd"]


def test_the_records_of_a_list_are_made_fit(wired, tmp_path):
    path = f"file://{tmp_path}/rows"
    with wired(answer(b"[" + UNFIT + b"]", then="keep")):
        assert carried(call(None, token=TOKEN, paginate=True)["records"]) == [FIT]
        call(None, token=TOKEN, paginate=True, max_xcom_records=0, output_path=path)
    assert lines(path) == [{**FIT, "nul": "a\0b"}]


def test_what_lies_too_deep_is_a_text(wired):
    deep = b"[" * 200 + b'"x"' + b"]" * 200
    with wired(answer(deep, then="keep")):
        value = call(None, token=TOKEN)
    for _ in range(64):
        (value,) = value
    assert json.loads(value) == json.loads(deep[64:-64])


def test_what_the_filter_of_a_function_returns_must_be_json(wired, tmp_path):
    with wired(page([{"id": 1}])):
        for options in ({}, {"paginate": True}):
            with pytest.raises(AirflowFailException, match="type object is unsupported"):
                call(None, token=TOKEN, response_filter=lambda _: object(), **options)


def test_what_a_decorated_function_returns_is_made_fit(sandbox, number):
    def unfit(instance):
        return {"a": ["\ud83d", float("nan")]}

    assert decorated(number, unfit).execute(context_of()) == {"a": ["\ufffd", None]}


def test_without_a_field_a_post_goes_out_once_a_try(sandbox, number):
    sandbox.add_fault("status", status=502, when="after", method="POST", path="/leads")
    with pytest.raises(CloudElementsServerError):
        call(number, method="POST", json={"name": "Twice"})
    assert len(posts(sandbox)) == 1


@pytest.mark.parametrize(
    "record", [{}, {"external_id": ""}, {"external_id": None}, {"external_id": [1]}], ids=str
)
def test_a_record_without_the_field_is_not_sent(sandbox, number, record):
    with pytest.raises(AirflowFailException, match="idempotent_by names the field 'external_id'"):
        call(number, method="POST", json=record, idempotent_by="external_id")
    assert posts(sandbox) == []


@pytest.mark.parametrize("value", [2**53, -(2**53), 10**30])
def test_a_number_that_others_round_is_refused_before_anything_is_sent(sandbox, number, value):
    with pytest.raises(AirflowFailException, match=r"beyond 2\*\*53 - 1 in it.*: give a text of its digits"):
        once(number, {"name": "Once", "external_id": value})
    assert posts(sandbox) == []


@pytest.mark.parametrize("value", [2**53 - 1, str(10**30)])
def test_a_large_number_that_all_keep_and_a_text_of_digits_are_found(sandbox, number, value):
    sandbox.add_fault("drop", when="after", method="POST", path="/leads")
    made = {once(number, {"name": "Once", "external_id": value})["id"] for _ in range(3)}
    assert (len(made), len(posts(sandbox))) == (1, 1)


@pytest.mark.parametrize("value", [2**53 + 1, 10**30, 1.5])
def test_a_query_compares_large_numbers_digit_by_digit(number, value):
    make(number, 1, external_id=value)
    assert leads_of(number, external_id=value) == 1


def test_a_field_that_several_records_share_is_a_conflict(sandbox, number):
    make(number, 2, city="Rome")
    with pytest.raises(AirflowFailException, match="2 records have the value of the field 'city'"):
        call(number, ti=FakeTi(2), method="POST", json={"city": "Rome"}, idempotent_by="city")


# -- a list --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("paging", ["token", "page"])
def test_few_records_are_returned_and_many_are_written(sandbox, number, tmp_path, paging):
    path = f"file://{tmp_path}/leads.jsonl"
    wanted = {each["id"] for each in call(number, paginate=True)["records"]} | set(make(number, 7))
    few = call(number, paginate=True, paging=paging, query={"pageSize": 2}, output_path=path)
    assert (few["count"], few["path"], {each["id"] for each in few["records"]}) == (len(wanted), None, wanted)
    assert list(tmp_path.iterdir()) == []
    many = call(
        number, paginate=True, paging=paging, query={"pageSize": 2}, output_path=path, max_xcom_records=3
    )
    assert many == {"count": len(wanted), "records": None, "path": path}
    assert {each["id"] for each in lines(path)} == wanted


def test_a_list_may_begin_with_page_zero(wired):
    def pages(call):
        number = int(parse_qs(urlsplit(call.target).query)["page"][0])
        return page([{"id": number}] if number < 3 else [])

    with wired(pages):
        found = call(None, token=TOKEN, paginate=True, paging="page", first_page=0)
    assert [each["id"] for each in found["records"]] == [0, 1, 2]


def test_what_the_filter_keeps_is_kept(sandbox, number):
    (own,) = make(number, 1, city="Oslo")
    found = call(number, where={"city": "Oslo"}, paginate=True, response_filter=lambda lead: lead["id"])
    assert found["records"] == [own]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"max_records": 2}, r"more than 2 records \(max_records\)"),
        ({"max_xcom_records": 2}, "give output_path"),
        ({"max_xcom_bytes": 10}, "give output_path"),
    ],
    ids=str,
)
def test_too_many_records_are_an_error(sandbox, number, arguments, said):
    make(number, 3)
    with pytest.raises(AirflowFailException, match=said):
        call(number, paginate=True, **arguments)


def test_a_list_that_breaks_off_leaves_no_file(sandbox, number, tmp_path):
    make(number, 5)
    sandbox.add_fault("status", status=500, path="/leads", skip=1, count=None)
    with pytest.raises(CloudElementsServerError):
        call(
            number,
            paginate=True,
            query={"pageSize": 2},
            max_xcom_records=0,
            output_path=f"file://{tmp_path}/leads.jsonl",
        )
    assert list(tmp_path.iterdir()) == []


def peak_of(number, path, count):
    """Return the most memory that a list of some thousand records takes on its way to a file."""
    instances = [{"id": str(n), "name": f"Lead {n}", "text": "x" * 500} for n in range(100)]

    def filtered(row):
        return {**row, "id": row["id"] * 2}

    operator = operator_of(
        number, paginate=True, output_path=path, max_xcom_records=0, response_filter=filtered
    )
    operator.hook.instance = lambda *_: Endless(instances, count)
    tracemalloc.start()
    try:
        assert operator.execute(context_of())["count"] == count
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


class Endless:
    """An instance whose list never lies in memory as a whole."""

    instance_id = None

    def __init__(self, rows, count):
        self.rows, self.count = rows, count

    def records(self, *_, **__):
        return (dict(self.rows[n % len(self.rows)]) for n in range(self.count))


def test_ten_times_the_records_take_no_more_memory(sandbox, number, tmp_path):
    path = f"file://{tmp_path}/leads.jsonl"
    peak_of(number, path, 100)
    few, many = (peak_of(number, path, count) for count in (300, 3000))
    assert many < few + 64 * 1024


def test_token_query_body_and_condition_are_not_among_the_rendered_fields(sandbox, number):
    operator = operator_of(
        number,
        token="{{ v }}",
        query={"key": "{{ v }}"},
        where={"name": "{{ v }}"},
        json={"name": "{{ v }}"},
        method="POST",
    )
    operator.render_template_fields({"v": "not-for-the-table-1"})
    assert operator.secret("json") == operator.secret("where") == {"name": "not-for-the-table-1"}
    shown = json.dumps({each: getattr(operator, each) for each in operator.template_fields}, default=str)
    assert "not-for-the-table-1" not in shown


# -- the decorator -------------------------------------------------------------------------------------------


def decorated(number, function, *arguments, **options):
    with DAG("a_dag", schedule=None):
        return cloudelements_task(instance_id=number)(function)(*arguments, **options).operator


def test_the_function_gets_a_client_and_its_own_arguments(sandbox, number):
    def count(instance, least, ti=None):
        return len(list(instance.records("/leads", page_size=1))) >= least, ti is not None

    make(number, 2)
    assert decorated(number, count, least=2).execute(context_of()) == (True, True)
    assert decorated(number, count, 2).execute(context_of()) == (True, True)

    def last(least, instance):
        return least

    assert decorated(number, last, 3).execute(context_of()) == 3


def test_a_failure_that_a_retry_cannot_fix_ends_the_task(sandbox, number):
    def read(instance):
        return instance.get("/leads/none")

    with pytest.raises(AirflowFailException, match="404"):
        decorated(number, read).execute(context_of())


def read_lead(instance):
    return instance.get("/leads/none")


def test_the_lines_of_the_function_stay_in_its_failure(sandbox, number):
    def work(instance):
        return read_lead(instance)

    def work_after_another_failure(instance):
        try:
            return read_lead(instance)
        except CloudElementsNotFoundError:
            return instance.get("/leads/neither")

    for function in (work, functools.wraps(work)(lambda instance: work(instance))):
        with pytest.raises(AirflowFailException) as caught:
            decorated(number, function).execute(context_of())
        assert names_of(caught.value.__cause__) == ["work", "read_lead"]
    with pytest.raises(AirflowFailException) as caught:
        decorated(number, work_after_another_failure).execute(context_of())
    assert names_of(caught.value.__cause__) == ["work_after_another_failure"]
    assert names_of(caught.value.__cause__.__context__) == ["work_after_another_failure", "read_lead"]
    sandbox.add_fault("status", status=503, path="/leads/*", count=None)
    with pytest.raises(CloudElementsServerError) as caught:
        decorated(number, work).execute(context_of())
    assert names_of(caught.value)[-2:] == ["work", "read_lead"]
    assert "tenacity" not in "".join(traceback.format_exception(caught.value))


def names_of(error):
    return [frame.name for frame in traceback.extract_tb(error.__traceback__)]


def one(instance, *rest, ti=None):
    return type(instance).__name__, rest


def by_name(*rest, instance):
    return type(instance).__name__, rest


def alone(instance, /):
    return type(instance).__name__, ()


def by_place(first, instance, /, last=7):
    return type(instance).__name__, (first, last)


@pytest.mark.parametrize(
    ("function", "given", "rest"),
    [
        (one, (), ()),
        (one, (1, 2), (1, 2)),
        (by_name, (), ()),
        (by_name, (1, 2, 3), (1, 2, 3)),
        (alone, (), ()),
        (by_place, (1,), (1, 7)),
        (by_place, (1, 2), (1, 2)),
    ],
)
def test_the_client_finds_its_parameter(sandbox, number, function, given, rest):
    assert decorated(number, function, *given).execute(context_of()) == ("InstanceClient", rest)


@pytest.mark.parametrize(
    "function", [lambda: None, lambda *instance: None, lambda **instance: None, lambda **other: None]
)
def test_a_function_without_a_parameter_for_the_client_is_refused(sandbox, function):
    with pytest.raises(TypeError, match="needs a parameter named 'instance'"):
        decorated(5, function)


def test_the_clients_parameter_is_not_the_callers(sandbox):
    with pytest.raises(TypeError, match="do not give it in the call"):
        decorated(5, one, instance=5)


@pytest.mark.parametrize("given", [functools.partial(one), 5, None], ids=["partial", "number", "none"])
def test_what_is_no_function_is_refused(given):
    with pytest.raises(TypeError, match="decorates a function that is written with def"):
        cloudelements_task(instance_id=5)(given)


def test_a_bare_decorator_needs_an_instance(sandbox):
    with DAG("a_dag", schedule=None), pytest.raises(TypeError, match="instance_id"):
        cloudelements_task(one)()


def test_airflow_knows_the_decorator():
    from airflow.sdk import task

    assert task.cloudelements is cloudelements_task
