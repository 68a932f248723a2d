"""What changed since the last successful run, against the sandbox: in memory's runs, with a set clock."""

from __future__ import annotations

import datetime
import hashlib
import json
import time
import tracemalloc
from email.utils import formatdate

import pendulum
import pytest
import time_machine

from airflow_provider_cloudelements.client import resources
from airflow_provider_cloudelements.client.ceql import where_of
from airflow_provider_cloudelements.client.wire import clock
from airflow_provider_cloudelements.compat import AirflowFailException
from airflow_provider_cloudelements.exceptions import CloudElementsServerError
from airflow_provider_cloudelements.operators.record_changes import CloudElementsDownloadChangesOperator
from airflow_provider_cloudelements.use import changed_records
from tests.support.reading import FIRST, Runs, tupled

MINUTE = datetime.timedelta(minutes=1)


class Nights:
    """Nightly runs of the task, over leads of one instance.

    :param sandbox: The platform.
    :param person: Who changes records.
    :param number: The instance.
    :param folder: Where the files go.
    """

    def __init__(self, sandbox, person, number, folder):
        self.sandbox, self.number, self.folder = sandbox, number, folder
        self.runs = Runs()
        self.token = person.call("GET", f"/instances/{number}")["token"]
        self.session = person.session
        self.sent = {"Authorization": f"{person.session.headers['Authorization']}, Element {self.token}"}
        self.result = None
        #: The conditions of the lists that it asked for: the sandbox keeps only the names of parameters.
        self.queries = []

    def change(self, day, name, hours=3, path="/leads", record=None, **fields):
        """Make or change a record some hours before midnight of a day; return its id."""
        with time_machine.travel(FIRST.add(days=day) - datetime.timedelta(hours=hours)):
            answer = self.session.request(
                "PATCH" if record else "POST",
                f"{self.sandbox.url}/elements/api-v2{path}{f'/{record}' if record else ''}",
                json={"name": name, **fields},
                headers=self.sent,
                timeout=20,
            )
        assert answer.status_code == 200, answer.text
        return answer.json()["id"]

    def operator(self, **arguments):
        return CloudElementsDownloadChangesOperator(
            **{
                "task_id": "read",
                "instance_id": self.number,
                "path": "/leads",
                "updated_field": "date_updated",
                "start": "2026-01-01",
                "output_path": f"file://{self.folder}/changes.jsonl",
                **arguments,
            }
        )

    def night(self, day, state="success", map_index=-1, **arguments):
        """Run the task at midnight of a day; return the names that it wrote."""
        context = self.runs.task_of(day, map_index=map_index)
        until = {} if "since" in arguments else {"until": FIRST.add(days=day)}
        with time_machine.travel(FIRST.add(days=day, seconds=5)):
            self.result = self.operator(**until | arguments).execute(context)
        self.runs.end(context, state)
        return [each["name"] for each in self.rows()]

    def rows(self):
        data = (self.folder / "changes.jsonl").read_bytes()
        assert (self.result["bytes"], self.result["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
        rows = [json.loads(line) for line in data.splitlines()]
        assert self.result["count"] == len(rows) == len({row["id"] for row in rows})
        return rows


@pytest.fixture
def number(person):
    return person.make("basic")


@pytest.fixture
def nights(sandbox, person, number, tmp_path, monkeypatch):
    made = Nights(sandbox, person, number, tmp_path)

    def noted(where):
        made.queries.append(where_of(where))
        return made.queries[-1]

    monkeypatch.setattr(resources, "where_of", noted)
    return made


# -- night by night ------------------------------------------------------------------------------------------


def test_ten_nights_miss_nothing_and_write_nothing_twice(nights):
    wanted, found = [], []
    for day in range(1, 11):
        names = [f"{day}-{each}" for each in range(3)]
        # The last one lies in the overlap of the next night.
        for name, hours in zip(names, (20, 3, 0.01), strict=True):
            nights.change(day, name, hours)
        wanted.append(names)
        found.append(sorted(nights.night(day)))
    assert found == wanted
    assert nights.result["repeated"] == 1
    assert [len(each["cursor"]["seen"]) for each in nights.runs.xcoms.values()] == [1] * 10


def test_a_list_by_page_numbers_begins_where_the_caller_says(nights):
    for name in ("first", "second", "third"):
        nights.change(1, name)
    paged = {"paging": "page", "query": {"pageSize": 1, "orderBy": "name asc"}, "start": "earliest"}
    whole = nights.night(1, **paged, since="2026-01-01")
    assert nights.night(1, **paged, since="2026-01-01", first_page=2) == whole[1:]
    assert set(whole) > {"second", "third"}


def test_a_record_comes_in_each_night_after_a_change_of_it(nights):
    record = nights.change(1, "first")
    assert nights.night(1) == ["first"]
    nights.change(2, "second", record=record)
    assert nights.night(2) == ["second"]
    assert nights.night(3) == []


def test_a_second_change_in_the_same_tick_is_no_repetition(nights):
    record = nights.change(1, "first", hours=0.05)
    assert nights.night(1) == ["first"]
    nights.change(1, "second", hours=0.05, record=record)
    assert nights.night(2) == ["second"]


def test_what_the_vendor_lists_late_comes_if_the_overlap_reaches_it(nights):
    nights.change(1, "seen", hours=0.1)
    assert nights.night(1) == ["seen"]
    nights.change(1, "late", hours=0.2)
    assert nights.night(2, overlap=5 * MINUTE) == []
    assert nights.night(3, overlap=10 * MINUTE) == ["late"]
    assert nights.night(4, overlap=10 * MINUTE) == []


def test_a_change_after_the_end_of_the_run_is_left_to_the_next_one(nights):
    nights.change(1, "in")
    nights.change(2, "after", hours=23)
    assert (nights.night(1), nights.result["later"]) == (["in"], 1)
    assert nights.night(2) == ["after"]


@pytest.fixture
def meanwhile(monkeypatch):
    """Give a function that does something once the first record of the next list was read."""
    waiting = []
    listed = resources.InstanceClient.records

    def records(self, *given, **more):
        for row in listed(self, *given, **more):
            yield row
            while waiting:
                waiting.pop()()

    monkeypatch.setattr(resources.InstanceClient, "records", records)
    return waiting.append


@pytest.mark.parametrize("ahead", [-7200, 0, 7200], ids=lambda each: f"Airflow {each} s ahead")
@pytest.mark.parametrize("until", [FIRST.add(days=1), FIRST.add(days=9), "latest"], ids=str)
def test_what_changes_while_a_run_reads_is_not_lost_whatever_until_and_airflows_clock_say(
    nights, meanwhile, monkeypatch, until, ahead
):
    # The run begins two hours before midnight, by the platform's clock.
    monkeypatch.setattr(
        "airflow_provider_cloudelements.sandbox.server.sending.formatdate",
        lambda moment, **form: formatdate(moment - ahead, **form),
    )
    first, _, last = (nights.change(1, name, hours=20) for name in ("first", "second", "last"))

    def change():
        nights.change(1, "first again", hours=1.9, record=first)  # its page was read
        nights.change(1, "last again", hours=1, record=last)  # its page was not

    meanwhile(change)
    context = nights.runs.task_of(1)
    with time_machine.travel(FIRST.add(days=1, hours=-2, seconds=ahead)):
        nights.result = nights.operator(until=until, query={"pageSize": 1}).execute(context)
    nights.runs.end(context)
    assert {"first", "second"} <= {each["name"] for each in nights.rows()}
    assert "first again" in nights.night(10, query={"pageSize": 1})
    assert nights.night(11) == []


def test_what_changes_while_the_workers_clock_is_set_is_not_lost(nights, meanwhile, monkeypatch):
    class Clock:
        """The worker's clock, which is two hours ahead until somebody sets it."""

        ahead, monotonic = 7200, staticmethod(time.monotonic)

        def time(self):
            return time.time() + self.ahead

    worker = Clock()
    for module in (clock, changed_records):
        monkeypatch.setattr(module, "time", worker)
    first, _, last = (nights.change(1, name, hours=20) for name in ("first", "second", "last"))

    def change():
        worker.ahead = 0
        nights.change(1, "first again", hours=1.9, record=first)  # its page was read
        nights.change(1, "last again", hours=1, record=last)  # its page was not

    meanwhile(change)
    context = nights.runs.task_of(1)
    with time_machine.travel(FIRST.add(days=1, hours=-2)):
        nights.result = nights.operator(until="latest", query={"pageSize": 1}).execute(context)
    nights.runs.end(context)
    assert "last again" in {each["name"] for each in nights.rows()}
    assert "first again" in nights.night(2, query={"pageSize": 1})


def test_an_xcom_backend_may_give_tuples_for_lists(nights):
    nights.change(1, "one", hours=0.1)
    assert nights.night(1) == ["one"]
    nights.runs.xcoms = {key: tupled(value) for key, value in nights.runs.xcoms.items()}
    assert (nights.night(2), nights.result["repeated"]) == ([], 1)


@pytest.mark.parametrize("nulls_first", [True, False])
def test_runs_without_a_logical_date_go_on(nights, nulls_first):
    nights.runs.nulls_first = nulls_first
    for day in (1, 2, 3):
        nights.change(day, f"lead {day}")
        context = nights.runs.task_of(day, dated=False)
        with time_machine.travel(FIRST.add(days=day, seconds=5)):
            nights.result = nights.operator(until="latest").execute(context)
        nights.runs.end(context)
        assert [each["name"] for each in nights.rows()] == [f"lead {day}"]


def test_records_of_one_moment_at_the_border_come_once_each(nights):
    nights.change(1, "inside", hours=5)
    nights.change(1, "border", hours=0)
    assert (nights.night(1, overlap=0 * MINUTE), nights.result["later"]) == (["inside"], 1)
    nights.change(1, "border, too", hours=0)
    assert sorted(nights.night(2, overlap=0 * MINUTE)) == ["border", "border, too"]
    nights.change(1, "border, late", hours=0)
    assert nights.night(3, overlap=0 * MINUTE) == ["border, late"]


def test_an_end_in_the_future_keeps_nothing_from_the_next_run(nights):
    nights.change(1, "one")
    assert nights.night(1, until=FIRST.add(years=1)) == ["one"]
    nights.change(2, "two")
    assert nights.night(2, until=FIRST.add(years=1)) == ["two"]
    nights.change(3, "three")
    assert nights.night(3, until=FIRST.add(days=3)) == ["three"]


def test_a_clock_that_is_put_back_between_two_runs_makes_nothing_come_again(nights):
    nights.change(1, "one", hours=0.5)
    assert nights.night(1, until="latest") == ["one"]
    nights.change(1, "two", hours=0.4)
    context = nights.runs.task_of(2)
    with time_machine.travel(FIRST.add(days=1, hours=-2)):  # the worker's clock, and the platform's
        nights.result = nights.operator(until="latest").execute(context)
    assert [each["name"] for each in nights.rows()] == ["two"]


@pytest.mark.parametrize(
    "more",
    [
        {"where": {"city": "Oslo", "name": ["a", "b"]}},
        {"where": {"name": ("b", "a"), "city": "Oslo"}},
        {"where": {"name IN": {"a", "b"}, "city =": "Oslo"}},
    ],
    ids=["a list", "a tuple in another order", "a set, with the operators"],
)
def test_the_order_of_conditions_and_of_their_values_selects_nothing(nights, more):
    nights.change(1, "a", city="Oslo")
    assert nights.night(1, where={"name": ["a", "b"], "city": "Oslo"}) == ["a"]
    assert nights.night(2, **more) == []


def test_dates_as_java_writes_them_can_be_gone_on_from(nights, monkeypatch):
    rows = [{"id": 1, "name": "first", "at": "Thu Jan 01 20:00:00 UTC 2026"}]
    monkeypatch.setattr(resources.InstanceClient, "records", lambda *_, **__: iter(rows))
    assert nights.night(1, updated_field="at") == ["first"]
    assert nights.result["newest"] == "2026-01-01T20:00:00+00:00"
    rows.append({"id": 2, "name": "second", "at": "Fri Jan 02 20:00:00 UTC 2026"})
    assert nights.night(2, updated_field="at") == ["second"]


def test_a_date_without_a_time_is_lost_in_no_run_that_begins_within_its_day(nights):
    days = {"updated_field": "at", "start": "2026-01-01T10:00Z"}
    nights.change(2, "of the day", at="2026-01-01")
    with pytest.raises(AirflowFailException, match="'%Y-%m-%d' for dates without a time"):
        nights.night(1, **days | {"start": "earliest", "where": {"name": "of the day"}})
    assert nights.night(2, **days, date_format="%Y-%m-%d") == ["of the day"]
    assert nights.night(3, **days, date_format="%Y-%m-%d") == []


def test_the_first_run_reads_everything_or_from_its_start(nights):
    nights.change(1, "own")
    # The sandbox begins with three records of 2025.
    assert len(nights.night(1, start="earliest")) == 4
    assert (nights.queries[-1], nights.result["since"]) == (None, None)
    assert nights.night(2, start="2026-01-01", where={"name": "own"}) == ["own"]
    assert "date_updated>='2026-01-01T00:00:00Z'" in nights.queries[-1]
    assert nights.night(3, start="2026-01-01", where={"name": "own"}) == []


def test_no_later_run_goes_back_behind_the_start(nights):
    nights.change(0, "before", hours=0.01)
    assert nights.night(1) == nights.night(2) == []
    assert nights.queries[-1] == "date_updated>='2026-01-01T00:00:00Z'"


def test_with_since_each_run_begins_there_and_keeps_no_place(nights):
    nights.change(1, "first")
    assert nights.night(1) == ["first"]
    places = dict(nights.runs.xcoms)
    for day in (2, 3):
        assert nights.night(day, since="2026-01-01", start="earliest") == ["first"]
    assert nights.runs.xcoms == places


# -- what fails, and what is cleared -------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["failed", "running"])
def test_the_time_of_a_run_that_is_no_success_is_read_again(nights, state):
    nights.change(1, "1")
    assert nights.night(1) == ["1"]
    nights.change(2, "2")
    assert nights.night(2, state=state) == ["2"]
    nights.change(3, "3")
    assert nights.night(3) == ["2", "3"]
    assert nights.night(4) == []


def test_a_list_that_breaks_off_leaves_no_file_and_no_place(nights, sandbox, tmp_path):
    for day in (1, 2):
        nights.change(day, str(day))
    sandbox.add_fault("status", status=500, path="/leads", skip=1, count=None)
    with pytest.raises(CloudElementsServerError):
        nights.night(2, query={"pageSize": 1})
    sandbox.clear_faults()
    assert (list(tmp_path.iterdir()), nights.runs.xcoms) == ([], {})
    assert nights.night(3) == ["1", "2"]


def test_the_place_moves_only_after_the_file_is_whole(nights, monkeypatch):
    from airflow_provider_cloudelements.operators._parts.json_lines import JsonLines

    nights.change(1, "1")

    def full(*_):
        raise OSError("The disk is full.")

    with monkeypatch.context() as patch:
        patch.setattr(JsonLines, "__exit__", full)
        with pytest.raises(OSError, match="The disk is full"):
            nights.night(1)
    assert nights.runs.xcoms == {}
    assert nights.night(2) == ["1"]


def test_a_cleared_run_reads_its_own_time_again(nights):
    for day in (1, 2, 3):
        nights.change(day, str(day))
        assert nights.night(day) == [str(day)]
    assert nights.night(2) == ["2"]
    record = nights.rows()[0]["id"]
    nights.change(4, "2 again", record=record)
    # It is of another time now, and comes with that run.
    assert (nights.night(2), nights.result["later"]) == ([], 2)
    assert nights.night(4) == ["2 again"]


# -- mapped tasks --------------------------------------------------------------------------------------------


def test_each_tenant_has_its_place_whatever_its_map_index_is(nights, person, sandbox, tmp_path):
    other = Nights(sandbox, person, person.make("basic", "Another"), tmp_path)
    other.runs = nights.runs
    for day, places in enumerate([(0, 1), (1, 0), (2, 0)], start=1):
        for tenant, index in zip((nights, other), places, strict=True):
            name = f"{tenant.number}-{day}"
            tenant.change(day, name)
            assert tenant.night(day, map_index=index) == [name]


def test_a_tenant_by_its_token_has_a_place_too_and_the_token_is_not_in_it(nights):
    by_token = {"instance_id": None, "token": nights.token}
    nights.change(1, "1")
    assert nights.night(1, **by_token) == ["1"]
    nights.change(2, "2")
    assert nights.night(2, **by_token) == ["2"]
    assert nights.token not in json.dumps([list(map(str, nights.runs.xcoms)), *nights.runs.xcoms.values()])


@pytest.mark.parametrize(
    "other",
    [{"where": {"city": "Oslo"}}, {"query": {"filter": "x"}}, {"id_field": "name"}, {"path": ["leads"]}],
    ids=str,
)
def test_another_selection_begins_at_the_start_and_the_same_one_does_not(nights, other):
    nights.change(1, "1", city="Oslo")
    assert nights.night(1) == ["1"]
    assert nights.night(2, **other) == ([] if "path" in other else ["1"])
    assert nights.night(3, **other, overlap=MINUTE) == []
    sized = {"query": {**other.get("query", {}), "pageSize": 1, "orderBy": "id desc"}}
    assert nights.night(4, **other | sized) == []


# -- the vendor's dates --------------------------------------------------------------------------------------


def test_dates_in_milliseconds_are_asked_for_as_numbers(nights):
    changed = {"updated_field": "changed.at", "date_format": "milliseconds"}
    for day in (1, 2):
        at = int(FIRST.add(days=day, hours=-2).timestamp() * 1000)
        nights.change(day, str(day), changed={"at": at})
        assert nights.night(day, **changed) == [str(day)]
    assert nights.queries[-1] == f"changed.at>={int(FIRST.add(days=1, hours=-2).timestamp() - 600) * 1000}"


def test_whole_days_of_a_zone_lose_no_record_of_the_same_day(nights):
    changed = {"updated_field": "changed", "date_format": "%Y-%m-%d", "timezone": "Europe/Berlin"}
    nights.change(1, "morning", changed="2026-01-01")
    assert nights.night(1, **changed) == ["morning"]
    nights.change(2, "evening", changed="2026-01-01")
    nights.change(2, "next day", changed="2026-01-02")
    assert nights.night(2, **changed) == ["evening", "next day"]
    assert nights.night(3, **changed) == []
    assert nights.queries[-1] == "changed>='2026-01-01'"


def test_an_hour_that_a_clock_shows_twice_loses_nothing(nights):
    changed = {"updated_field": "at", "date_format": "%Y-%m-%d %H:%M", "timezone": "Europe/Berlin"}
    days = (pendulum.datetime(2026, 10, 25) - FIRST).days
    # At one o'clock UTC, three o'clock is two o'clock again.
    nights.change(days, "first", at="2026-10-25 02:50")
    assert nights.night(days, until="2026-10-25T00:55Z", **changed) == ["first"]
    nights.change(days, "second", at="2026-10-25 02:10")
    assert nights.night(days + 1, **changed) == ["second"]


def test_a_vendor_that_ignores_the_query_gives_no_record_of_another_time(nights, monkeypatch):
    from airflow_provider_cloudelements.client.resources import InstanceClient

    listed = InstanceClient.records

    def everything(self, path, *, where, **more):
        return listed(self, path, where=None, **more)

    monkeypatch.setattr(InstanceClient, "records", everything)
    for day in (1, 2, 3):
        nights.change(day, str(day))
        assert nights.night(day) == [str(day)]


def test_a_date_in_the_future_keeps_nothing_from_later_runs(nights):
    changed = {"updated_field": "at", "until": "latest"}
    nights.change(1, "wrong", at="2099-01-01T00:00:00Z")
    assert nights.night(1, **changed) == ["wrong"]
    nights.change(2, "right", at="2026-01-02T10:00:00Z")
    assert nights.night(2, **changed) == ["right"]
    assert nights.night(3, **changed) == []


# -- records without a date, or without an id ----------------------------------------------------------------


def test_a_record_without_a_date_fails_the_task_unless_you_say_what_becomes_of_it(nights):
    nights.change(1, "dated", at="2026-01-01T10:00:00Z")
    nights.change(1, "undated")
    here = {"updated_field": "at", "where": {"name": ["dated", "undated"]}, "start": "earliest"}
    with pytest.raises(AirflowFailException, match=r"no date in the field 'at' \(updated_field\)"):
        nights.night(1, **here)
    assert (nights.night(1, **here, undated="skip"), nights.result["undated"]) == (["dated"], 1)
    assert nights.night(2, **here, undated="skip") == []
    assert nights.night(3, **here, undated="write") == ["undated"]
    assert nights.night(4, **here, undated="write") == ["undated"]
    assert nights.queries[-1] == "name IN ('dated', 'undated') AND at IS NULL"


@pytest.mark.parametrize("value", ["soon", 5, True, {"x": 1}], ids=str)
def test_a_value_that_is_no_date_fails_the_task_in_any_case(nights, value):
    nights.change(1, "x", at=value)
    here = {"updated_field": "at", "where": {"name": "x"}, "start": "earliest"}
    with pytest.raises(AirflowFailException, match=r"holds no date in the format 'iso': set date_format"):
        nights.night(1, **here, undated="skip")


@pytest.mark.parametrize("field", ["nothing", "name.first", "open"])
def test_a_record_without_an_id_fails_the_task(nights, field, tmp_path):
    nights.change(1, "x", open=True)
    with pytest.raises(AirflowFailException, match=rf"no id in the field '{field}' \(id_field\)"):
        nights.night(1, id_field=field)
    assert list(tmp_path.iterdir()) == []


def test_a_field_that_no_record_has_is_named(nights, caplog):
    nights.night(1, updated_field="date_updatd", start="earliest", undated="skip")
    assert "No record has a date in 'date_updatd'" in caplog.text


# -- each record once ----------------------------------------------------------------------------------------


def test_a_record_that_a_list_gives_twice_is_written_once(nights, monkeypatch):
    from airflow_provider_cloudelements.client.resources import InstanceClient

    listed = InstanceClient.records
    monkeypatch.setattr(InstanceClient, "records", lambda *given, **more: [*listed(*given, **more)] * 2)
    nights.change(1, "once")
    assert nights.night(1) == ["once"]
    nights.change(2, "2")
    assert nights.night(2) == ["2"]


def test_more_recent_changes_than_a_place_holds_come_again_and_none_is_lost(nights, monkeypatch, caplog):
    monkeypatch.setattr(changed_records, "MOST_SEEN", 2)
    for number in range(7):
        nights.change(1, str(number), hours=0.1 - number / 100)
    assert nights.night(1) == list("0123456")
    assert "More than 2 records changed of late" in caplog.text
    (place,) = nights.runs.xcoms.values()
    assert len(place["cursor"]["seen"]) == 2
    assert nights.night(2) == list("01234")
    nights.change(3, "last")
    assert nights.night(3)[-1:] == ["last"]
    assert nights.night(4) == []


class Endless:
    """An instance whose list never lies in memory as a whole."""

    instance_id = None

    def __init__(self, count):
        self.count = count

    def platform_time(self, moment):
        return pendulum.from_timestamp(moment)

    def records(self, *_, **__):
        at = FIRST.timestamp()
        return ({"id": str(n), "at": int(at + n), "text": "x" * 500} for n in range(self.count))


def peak_of(nights, count):
    operator = nights.operator(updated_field="at", date_format="seconds", until="latest", overlap=MINUTE)
    operator.hook.instance = lambda *_: Endless(count)
    tracemalloc.start()
    try:
        assert operator.execute(nights.runs.task_of(1))["count"] == count
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_ten_times_the_records_take_no_more_memory(nights, monkeypatch):
    monkeypatch.setattr(changed_records, "MOST_SEEN", 100)
    peak_of(nights, 100)
    few, many = (peak_of(nights, count) for count in (500, 5000))
    assert many < few + 64 * 1024


# -- arguments -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["O'Hara", "' OR 'a'='a", "100%", "a/b?c#d", "日本", "two\nlines"])
def test_a_hostile_value_finds_its_own_record_alone(nights, value):
    nights.change(1, "other")
    nights.change(1, "own", city=value)
    assert nights.night(1, where={"city": value}) == ["own"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"updated_field": "a>='' OR b"}, "updated_field must be the name of one field"),
        ({"updated_field": "date_updated >="}, "updated_field must be the name of one field"),
        ({"updated_field": "null"}, "updated_field must be the name of one field"),
        ({"updated_field": None}, "updated_field must be the name of one field"),
        ({"id_field": "a b"}, "id_field must be the name of one field"),
        ({"where": "a=1"}, "where must be a dictionary"),
        ({"where": {"a": "\\"}}, "holds a backslash"),
        ({"where": {"date_updated <": "2026"}}, "where must not name 'date_updated'"),
        ({"where": {"a=1 OR b": 1}}, "A key of where must be a field"),
        ({"query": {"where": "a=1"}}, "query must not hold where"),
        ({"query": 5}, "query must be a dictionary"),
        ({"path": "/leads?where=x"}, "hold no query"),
        ({"path": ["leads", ".."]}, "A part of path must be"),
        ({"start": "now"}, "start must be 'earliest' or a date"),
        ({"start": None}, "start must be 'earliest' or a date"),
        ({"start": "5"}, "start must be 'earliest' or a date"),
        ({"since": "soon", "start": "earliest"}, "since must be 'earliest' or a date"),
        ({"until": "soon"}, "until must be 'latest' or a date"),
        ({"instance_id": None}, "instance_id"),
        ({"token": "***"}, "token consists of asterisks"),
        ({"output_path": ""}, "output_path must be the address of a file"),
    ],
    ids=str,
)
def test_a_wrong_argument_fails_at_once_by_its_name(nights, sandbox, arguments, said):
    before = len(sandbox.requests())
    with pytest.raises(AirflowFailException, match=said):
        nights.night(1, **arguments)
    assert len(sandbox.requests()) == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"overlap": 5}, "overlap must be a timedelta"),
        ({"overlap": -MINUTE}, "overlap must be a timedelta"),
        ({"date_format": "yyyy"}, "date_format must be"),
        ({"timezone": "Berlin"}, "timezone must be"),
        ({"undated": "keep"}, "undated must be one of"),
        ({"paging": "offset"}, "paging must be one of"),
        ({"first_page": "0"}, "first_page must be"),
    ],
    ids=str,
)
def test_a_wrong_switch_is_refused_when_the_dag_is_parsed(nights, arguments, said):
    with pytest.raises(ValueError, match=said):
        nights.operator(**arguments)
    with pytest.raises(ValueError, match=said):
        CloudElementsDownloadChangesOperator.partial(task_id="read", **arguments)


def test_start_goes_without_since(nights):
    with pytest.raises(ValueError, match="give one of them"):
        nights.operator(since="2026-01-01")
    with pytest.raises(ValueError, match="give one of them"):
        CloudElementsDownloadChangesOperator.partial(task_id="read", since="2026-01-01", start="2026-01-01")


def test_token_query_and_condition_are_not_among_the_rendered_fields(nights):
    hidden = {key: {"name": "{{ v }}"} for key in ("query", "where")}
    operator = nights.operator(token="{{ v }}", until="latest", **hidden)
    operator.render_template_fields({"v": "not-for-the-table-1"})
    assert operator.secret("where") == {"name": "not-for-the-table-1"}
    shown = json.dumps({each: getattr(operator, each) for each in operator.template_fields}, default=str)
    assert "not-for-the-table-1" not in shown
