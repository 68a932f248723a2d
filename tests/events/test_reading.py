"""One reading for many waiters: what each gets, where each goes on, and that none loses an event."""

from __future__ import annotations

import json
import unicodedata
from dataclasses import replace

import pendulum
import pytest
import time_machine
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_cloudelements.client.tags import Identity, marker_tag
from airflow_provider_cloudelements.connections import ConnectionSettings
from airflow_provider_cloudelements.events import reading as event_reading
from airflow_provider_cloudelements.events.batch import LEAST_BYTES, EventBatch, EventLimits
from airflow_provider_cloudelements.events.cursor import TRUST_TIME, EventCursor
from airflow_provider_cloudelements.events.query import MAX_TEXT, EventQuery
from airflow_provider_cloudelements.events.reading import (
    EventLook,
    ListOrders,
    read_events,
    read_one,
)
from airflow_provider_cloudelements.exceptions import (
    CloudElementsAuthError,
    CloudElementsRateLimitError,
    CloudElementsServerError,
    CloudElementsValidationError,
)

NOON = pendulum.datetime(2026, 11, 24, 12)
LIMITS = EventLimits(100, 65_536, 100)


class Platform:
    """A list of events in memory, with the order, the pages and the delays of one's choice."""

    def __init__(self, order="newest", page_size=200):
        self.settings = ConnectionSettings("https://api.example.com", namespace="mine")
        self.order, self.page_size = order, page_size
        self.events, self.tags, self.calls = [], {}, []
        self.failure = None

    def emit(self, instance_id=1, visible_after=0.0, objects=1, status="NOTIFIED", **change):
        now = pendulum.now("UTC")
        number = len(self.events)
        message = {
            "elementKey": "closeio",
            "eventId": f"event-{number}",
            "instanceId": instance_id,
            "instanceTags": self.tags.get(instance_id, []),
            "raw": {"items": [{"id": number, "kind": "a"}], "calendar": "work"},
            "events": [
                {"objectId": f"{number}-{each}", "objectType": "leads", "eventType": "CREATED", **change}
                for each in range(objects)
            ],
        }
        told = [json.dumps({"id": str(number), "message": message})] if objects else []
        body = {
            "id": f"event-{number}",
            "eventDate": now.start_of("second").isoformat(),
            "status": status,
            "providerData": json.dumps(message["raw"]),
            "notifiedData": told,
            "eventElementInstances": [{"elementInstanceId": instance_id}],
        }
        self.events.append((now.add(seconds=visible_after), number, instance_id, body))
        return f"event-{number}"

    def list_pages(self, path):
        self.calls.append(path)
        only = path.split("/")[2]
        shown = [
            (visible, number, body)
            for visible, number, instance_id, body in self.events
            if visible <= pendulum.now("UTC") and only in ("events", str(instance_id))
        ]
        by_number = self.order in ("newest", "oldest")
        shown.sort(key=lambda each: each[1] if by_number else each[:2], reverse=self.order != "oldest")
        if self.failure is not None:
            raise self.failure
        rows = [body for _, _, body in shown]
        for start in range(0, len(rows), self.page_size):
            self.calls.append("page")
            yield rows[start : start + self.page_size]

    def list_items(self, path, params):
        self.calls.append(f"{path} {params}")
        for instance_id, tags in self.tags.items():
            if not params or set(params["tags[]"]) & set(tags):
                yield {"id": instance_id, "tags": tags}


@pytest.fixture
def clock():
    with time_machine.travel(NOON, tick=False) as clock:
        yield clock


@pytest.fixture
def platform(clock):
    return Platform()


def look_of(start="earliest", **query):
    return EventLook(EventQuery.of(**(query or {"instance_id": 1})), EventCursor.start(start))


def read(platform, *looks, orders=None):
    return read_events(platform, looks, orders)


def ids(batch):
    return [row.data["id"] for row in batch.rows]


# -- the selection -----------------------------------------------------------------------------------------


def test_a_row_is_small_and_tells_all_that_is_alike_for_every_vendor(platform):
    platform.emit(objectId="x" * 9999)
    (batch,) = read(platform, look_of())
    (row,) = batch.rows
    assert row.data == {
        "id": "event-0",
        "date": "2026-11-24T12:00:00Z",
        "instance_id": 1,
        "element": "closeio",
        "notification_id": "0",
        "object_type": "leads",
        "object_id": "x" * MAX_TEXT,
        "event_type": "CREATED",
        "object_date": None,
    }
    assert row.size < LEAST_BYTES / 2
    assert "event-0" not in repr(batch)


def test_the_vendor_s_body_is_there_where_it_is_asked_for_and_small(platform):
    platform.emit()
    platform.emit()
    platform.events[1][3]["notifiedData"] = []
    platform.events[1][3]["providerData"] = json.dumps("y" * 20_000)
    (batch,) = read(platform, replace(look_of(), raw=True))
    small, large = (row.data for row in batch.rows)
    if small["raw"] is None:
        small, large = large, small
    assert (small["raw"]["calendar"], small["raw_left_out"]) == ("work", False)
    assert (large["raw"], large["raw_left_out"]) == (None, True)


def test_a_body_that_is_no_json_to_others_is_left_out(platform):
    platform.emit()
    platform.events[0][3]["notifiedData"] = []
    platform.events[0][3]["providerData"] = "[NaN]"
    (batch,) = read(platform, replace(look_of(), raw=True))
    assert (batch.rows[0].data["raw"], batch.rows[0].data["raw_left_out"]) == (None, True)


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ({"instance_id": 1}, {0, 1, 3, 4}),
        ({"instance_id": {"id": "2"}}, {2}),
        ({"instance_id": 1, "object_types": ["leads"]}, {0, 3}),
        ({"instance_id": 1, "object_types": ["tasks"]}, {1}),
        ({"instance_id": 1, "event_types": ["deleted"]}, {3}),
        ({"instance_id": 1, "where": {"object_id": "0-0"}}, {0}),
        ({"instance_id": 1, "where": {"object_id": ["0-0", "3-0", "9"]}}, {0, 3}),
        ({"instance_id": 1, "where": {"raw.calendar": "work"}}, {0, 1, 3, 4}),
        ({"instance_id": 1, "where": {"raw.calendar": "home"}}, set()),
        ({"instance_id": 1, "where": {"raw.items.id": [1, "3"]}}, {1, 3}),
        ({"instance_id": 1, "where": {"raw.items.0.id": 4}}, {4}),
        ({"instance_id": 1, "where": {"raw.items.7.id": 4}}, set()),
        ({"instance_id": 1, "where": {"raw.items.kind": "a", "event_type": "DELETED"}}, {3}),
        ({"instance_id": 1, "where": {"raw.no.such": None}}, set()),
        ({"tag": "shop"}, {0, 1, 2, 3, 4, 5}),
        ({"tag": "second"}, {2}),
        ({"instance_key": "a key"}, {5}),
        ({"tag": "nobody's"}, set()),
    ],
    ids=str,
)
def test_only_what_is_wanted_is_told(platform, clock, query, wanted):
    platform.tags = {1: ["shop"], 2: ["shop", "second"], 3: ["shop", marker_tag("mine/a key")]}
    platform.emit()
    platform.emit(objectType="tasks")
    platform.emit(2)
    platform.emit(eventType="DELETED")
    platform.emit(objects=0)
    platform.emit(3)
    clock.shift(700)  # nothing more is to come of the one without objects
    (batch,) = read(platform, look_of(**query))
    assert set(ids(batch)) == {f"event-{number}" for number in wanted}


@pytest.mark.parametrize("others", [0, 5], ids=["one by one", "listed"])
def test_a_key_is_that_of_its_namespace_alone_now_and_then(platform, others):
    ours, sharing = Identity("mine", "a key"), Identity("", "mine/a key")
    platform.tags = {1: [*ours.tags], 2: [*sharing.tags], 3: [marker_tag("mine/acme\n")], 4: [*ours.tags]}
    for number in platform.tags:
        platform.emit(number)
    platform.tags[4] = []  # it was of the key when its event came
    more = [look_of(tag=f"nobody's {number}") for number in range(others)]
    batches = read(platform, look_of(instance_key=" a key\n"), look_of(instance_key="acme\n"), *more)
    assert [sorted(ids(each)) for each in batches[:2]] == [["event-0", "event-3"], ["event-2"]]


def test_a_tag_of_then_counts_as_well_as_one_of_now(platform):
    platform.tags = {1: ["old"], 2: []}
    platform.emit(1)
    platform.emit(2)
    platform.tags = {1: [], 2: ["new"]}
    assert [ids(each) for each in read(platform, look_of(tag="old"), look_of(tag="new"))] == [
        ["event-0"],
        ["event-1"],
    ]


def test_instances_are_asked_for_only_when_something_is_new_and_listed_once_for_many_tags(platform):
    platform.tags = {number: [f"tag-{number}"] for number in range(1, 9)}
    looks = [look_of(tag=f"tag-{number}") for number in range(1, 9)]
    read(platform, *looks)
    assert platform.calls == ["/instances/events"]
    platform.emit(5)
    batches = read(platform, *looks)
    assert [len(each.rows) for each in batches] == [0, 0, 0, 0, 1, 0, 0, 0]
    assert platform.calls[1:] == ["/instances/events", "page", "/instances {}"]
    platform.calls.clear()
    read(platform, look_of(tag="tag-1"))
    assert platform.calls[-1] == "/instances {'tags[]': ['tag-1']}"


def test_what_is_not_worked_out_yet_is_waited_for_by_those_who_ask_about_it(platform, clock):
    platform.emit(objects=0, status="DISPATCHED")
    any_kind, leads = look_of("now"), look_of("now", instance_id=1, object_types=["leads"])
    one, other = read(platform, any_kind, leads)
    assert (len(one.rows), len(other.rows)) == (1, 0)
    body = platform.events[0][3]
    platform.events.clear()
    platform.emit()
    platform.events[0][3]["eventDate"] = body["eventDate"]
    again, found = read(platform, any_kind.after(one), leads.after(other))
    assert (ids(again), ids(found)) == ([], ["event-0"])


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"instance_id": 1, "tag": "a"},
        {"instance_id": "one"},
        {"tag": 7},
        {"tag": "a", "object_types": "leads"},
        {"tag": "a", "event_types": [7]},
        {"tag": "a", "where": ["object_id"]},
        {"tag": "a", "where": {"objectId": "x"}},
        {"tag": "a", "where": {"raw": {}}},
        {"tag": "a", "where": {"raw..x": 1}},
        {"tag": "a", "where": {7: 1}},
        {"tag": "a", "where": {"object_id": []}},
        {"tag": "a", "where": {"object_id": {"not": 1}}},
    ],
    ids=str,
)
def test_a_query_that_is_malformed_is_refused(wrong):
    with pytest.raises(CloudElementsValidationError):
        EventQuery.of(**wrong)


def test_a_query_survives_its_way_to_a_trigger():
    query = EventQuery.of(
        instance_key="k",
        object_types=["b", "a"],
        event_types=["created"],
        where={"raw.x": [1, None], "id": "i"},
    )
    arguments = json.loads(json.dumps(query.as_arguments()))
    assert EventQuery.of(**arguments) == query
    assert EventQuery.of(**arguments).as_arguments() == arguments


def test_two_queries_of_the_same_events_have_one_selection():
    def selection(**changes):
        given = {"instance_key": "closeio/Åa", "where": {"id": ["1", "2"]}, "event_types": ["created"]}
        return EventQuery.of(**{**given, **changes}).selection()

    same = [
        {"instance_key": " closeio/Åa\n"},
        {"instance_key": unicodedata.normalize("NFD", "closeio/Åa")},
        {"where": {"id": [2, 1, "2"]}},
        {"event_types": [" Created"]},
    ]
    for changes in same:
        assert selection(**changes) == selection()
    other = [
        {"instance_key": "closeio/ Åa"},
        {"instance_key": None, "tag": "closeio/Åa"},
        {"where": {"id": ["1", "3"]}},
        {"where": {"id": ["1", "True"]}},
        {"where": {"id": ["1", True]}},
        {"where": {"id": ["1", None]}},
        {"where": {"id": ["1", "None"]}},
    ]
    assert len({json.dumps(selection(**changes)) for changes in [{}, *other]}) == len(other) + 1


# -- cursors ------------------------------------------------------------------------------------------------


def test_each_is_told_what_is_new_to_it(platform, clock):
    first = platform.emit()
    clock.shift(60)
    late, early = look_of("now"), look_of()
    second = platform.emit()
    one, two = read(platform, early, late)
    assert (ids(one), ids(two)) == ([first, second], [second])
    third = platform.emit()
    one, two = read(platform, early.after(one), late.after(two))
    assert (ids(one), ids(two)) == ([third], [third])
    assert platform.calls.count("/instances/1/events") == 2


def test_the_list_of_one_instance_serves_those_who_all_wait_for_it(platform):
    read(platform, look_of(), look_of("now"))
    assert platform.calls == ["/instances/1/events"]
    read(platform, look_of(), look_of(instance_id=2))
    read(platform, look_of(), look_of(tag="a"))
    assert platform.calls[1:] == ["/instances/events"] * 2


def test_what_is_known_of_one_list_s_order_is_not_believed_of_another(platform, clock):
    platform.page_size = 10
    orders = ListOrders()
    for _ in range(40):
        platform.emit()
        clock.shift(60)
    (batch,) = read(platform, look_of(), orders=orders)
    look = look_of().after(batch)
    platform.calls.clear()
    read(platform, look, orders=orders)
    assert platform.calls.count("page") == 3  # in order: a settle time of it, and one that is older
    platform.calls.clear()
    read(platform, look, look_of("now", tag="a"), orders=orders)
    assert platform.calls.count("page") == 4
    clock.shift(TRUST_TIME)
    platform.calls.clear()
    read(platform, look, orders=orders)
    assert platform.calls.count("page") == 4


def test_a_newcomer_of_now_does_not_make_the_reading_longer(platform, clock):
    platform.page_size = 10
    orders = ListOrders()
    for _ in range(40):
        platform.emit()
        clock.shift(60)
    (batch,) = read(platform, look_of(), orders=orders)
    platform.calls.clear()
    read(platform, look_of().after(batch), look_of("now"), orders=orders)
    assert platform.calls.count("page") == 3


def test_a_newcomer_makes_nobody_hear_twice(platform, clock):
    platform.page_size = 10
    orders = ListOrders()
    for _ in range(40):
        platform.emit()
        clock.shift(60)
    (batch,) = read(platform, look_of(), orders=orders)
    look, told = look_of().after(batch), ids(batch)
    for _ in range(20):
        platform.emit()
        clock.shift(40)
        (batch,) = read(platform, look, orders=orders)
        look = look.after(batch)
        told += ids(batch)
    newcomer = look_of("now")
    for _ in range(3):
        batch, other = read(platform, look, newcomer, orders=orders)
        look, newcomer = look.after(batch), newcomer.after(other)
        told += ids(batch)
        clock.shift(TRUST_TIME)  # the next one is whole
    assert len(told) == len(set(told)) == 60


def test_a_failed_reading_moves_no_cursor(platform):
    platform.emit()
    platform.failure = CloudElementsServerError("no")
    with pytest.raises(CloudElementsServerError):
        read(platform, look_of())
    platform.failure = None
    assert ids(read(platform, look_of())[0]) == ["event-0"]


def test_more_pages_than_are_to_be_read_are_a_failure_that_does_not_pass(platform):
    platform.page_size = 1
    platform.emit()
    platform.emit()
    with pytest.raises(CloudElementsValidationError, match="max_pages=1") as failed:
        read(platform, replace(look_of(), max_pages=1))
    assert not failed.value.retryable
    assert len(read(platform, replace(look_of(), max_pages=1), look_of("now"))) == 2


# -- an end ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["newest", "oldest", "visibility"])
def test_looks_with_ends_of_their_own_share_a_reading(platform, clock, order):
    platform.order = order
    made = []
    for _ in range(6):
        made.append(platform.emit())
        clock.shift(120)
    ends = [NOON, NOON.add(minutes=3), NOON.add(minutes=8), None]
    looks = [replace(look_of(), until=end) for end in ends]
    batches = read(platform, *looks)
    counts = [0, 2, 4, 6]
    for batch, count in zip(batches, counts, strict=True):
        assert ids(batch) == made[:count]
    # Each goes on with what it left, also those that read alone.
    for looked in (read(platform, *(replace(look_of(), cursor=each.after) for each in batches)),):
        assert [ids(each) for each in looked] == [made[count:] for count in counts]
    for end, count in zip(ends, counts, strict=True):
        (alone,) = read(platform, replace(look_of(), until=end))
        (rest,) = read(platform, replace(look_of(), cursor=alone.after))
        assert (ids(alone), ids(rest)) == (made[:count], made[count:])


def test_what_is_late_and_before_the_end_is_left_to_the_next(platform, clock):
    end = NOON.add(minutes=5)
    platform.emit()
    late = platform.emit(visible_after=400)
    clock.shift(330)
    after = platform.emit()
    (batch,) = read(platform, replace(look_of(), until=end))
    clock.shift(100)
    (again,) = read(platform, replace(look_of(), cursor=batch.after, until=end.add(minutes=5)))
    assert sorted(ids(again)) == sorted([late, after])


def test_a_look_with_an_end_keeps_nothing_of_what_comes_after_it(platform, clock):
    platform.emit()
    clock.shift(1000)
    for _ in range(500):
        platform.emit()
    (batch,) = read(platform, replace(look_of(), until=NOON.add(seconds=1)))
    assert len(batch.after.seen) == 1
    assert batch.after.since <= NOON


def test_in_a_list_in_order_only_those_far_back_fail_for_its_length(platform, clock):
    platform.page_size, platform.tags = 2, {1: ["a"]}
    for _ in range(40):
        platform.emit()
        clock.shift(60)
    orders = ListOrders()
    (batch,) = read(platform, look_of(tag="a"), orders=orders)
    near = replace(look_of(tag="a").after(batch), max_pages=8)
    far = replace(look_of(tag="b"), max_pages=8)
    made = platform.emit()
    failed, found = read(platform, far, near, orders=orders)
    assert isinstance(failed, CloudElementsValidationError)
    assert ids(found) == [made]
    with pytest.raises(CloudElementsValidationError):
        read(platform, far, orders=orders)
    # Without a known order all of them have to read the whole list.
    with pytest.raises(CloudElementsValidationError):
        read(platform, far, near)


def test_a_tag_whose_call_fails_fails_only_its_look(platform):
    platform.tags = {1: ["good"], 2: ["bad"]}
    platform.emit()
    refused = CloudElementsValidationError("refused", status=400)
    asked = platform.list_items

    def list_items(path, params):
        if params["tags[]"] == ["bad"]:
            raise refused
        return asked(path, params)

    platform.list_items = list_items
    failed, found, by_id = read(platform, look_of(tag="bad"), look_of(tag="good"), look_of())
    assert failed is refused
    assert ids(found) == ids(by_id) == ["event-0"]
    with pytest.raises(CloudElementsValidationError, match="refused"):
        read_one(platform, look_of(tag="bad"))


def test_a_list_of_all_instances_that_is_refused_is_nobody_s_failure(platform):
    platform.tags = {number: [f"tag-{number}"] for number in range(1, 6)}
    for number in platform.tags:
        platform.emit(number)
    asked = platform.list_items

    def list_items(path, params):
        if not params or params["tags[]"] == ["tag-3"]:
            raise CloudElementsValidationError("refused", status=400)
        return asked(path, params)

    platform.list_items = list_items
    found = read(platform, *(look_of(tag=f"tag-{number}") for number in platform.tags))
    assert isinstance(found.pop(2), CloudElementsValidationError)
    assert [ids(batch) for batch in found] == [[f"event-{each}"] for each in (0, 1, 3, 4)]


@pytest.mark.parametrize("kind", [CloudElementsAuthError, CloudElementsRateLimitError])
def test_a_failure_of_the_account_fails_the_whole_reading(platform, kind):
    platform.tags = {1: ["good"]}
    platform.emit()

    def list_items(path, params):
        raise kind("no")

    platform.list_items = list_items
    with pytest.raises(kind):
        read(platform, look_of(tag="good"), look_of())


# -- parts of a batch ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [1, 3, 10, 1000])
def test_a_batch_is_told_in_parts_each_of_which_has_its_cursor(platform, clock, rows):
    for _ in range(10):
        platform.emit(objects=2)
        clock.shift(300)
    (batch,) = read(platform, look_of())
    told, rest, cursors = [], batch, []
    while rest.rows:
        part, rest = rest.take(EventLimits(rows, 65_536, 100))
        assert 0 < len(part.rows) <= rows
        told += part.rows
        cursors.append((part.after, len(told)))
    assert tuple(told) == batch.rows
    assert cursors[-1][0] == batch.after
    for cursor, count in cursors:
        (again,) = read(platform, replace(look_of(), cursor=cursor))
        # Of an event that is cut, only the rows come that were not returned yet.
        assert tuple(again.rows) == batch.rows[count:]
        assert EventCursor.parse(json.loads(json.dumps(cursor.as_json()))) == cursor


def test_a_part_keeps_within_its_bytes(platform):
    for _ in range(200):
        platform.emit()
    (batch,) = read(platform, look_of())
    part, rest = batch.take(EventLimits(1000, LEAST_BYTES, 100))
    assert LEAST_BYTES - 1000 < len(json.dumps(part.as_json()["events"])) <= LEAST_BYTES
    assert len(part.rows) + len(rest.rows) == 200


def test_a_row_that_is_larger_is_told_alone(platform):
    platform.emit()
    (batch,) = read(platform, look_of())
    part, rest = batch.take(EventLimits(10, 1, 100))
    assert (len(part.rows), len(rest.rows)) == (1, 0)


@pytest.mark.parametrize("name", ["max_events", "max_bytes", "max_pages"])
@pytest.mark.parametrize("wrong", [0, -1, "10", True, None, 1.5])
def test_limits_out_of_bounds_are_refused(name, wrong):
    with pytest.raises(ValueError, match=name):
        EventLimits.of(**{"max_events": 1, "max_bytes": LEAST_BYTES, "max_pages": 1, name: wrong})


# -- nothing is lost ----------------------------------------------------------------------------------------


class Watcher:
    """What a watcher does, without loop and hub: saves one look late, and may be killed."""

    def __init__(self, look, limits):
        self.begin, self.limits = look, limits
        self.stored = look.cursor
        self.persisted, self.killed = [], 0
        self.start()

    def start(self):
        self.look = replace(self.begin, cursor=self.stored)
        self.rest = EventBatch((), self.stored, self.stored)
        self.in_memory, self.unsaved = [], None

    def kill(self):
        self.killed += 1
        self.start()

    def turn(self, batch):
        self.persisted += self.in_memory
        if self.unsaved is not None:
            self.stored = EventCursor.parse(json.loads(json.dumps(self.unsaved.as_json())))
        if batch is not None:
            self.look = self.look.after(batch)
            self.rest = batch
        part, self.rest = self.rest.take(self.limits)
        self.in_memory = [row.data["id"] for row in part.rows]
        self.unsaved = EventCursor(part.after.since, part.after.seen)


STEP = st.tuples(
    st.lists(st.tuples(st.integers(1, 3), st.floats(0, 500), st.integers(1, 3)), max_size=8),
    st.sets(st.integers(0, 3)),
    st.integers(1, 300),
)


@pytest.mark.slow
@settings(max_examples=40)
@given(
    steps=st.lists(STEP, min_size=5, max_size=25),
    order=st.sampled_from(["newest", "oldest", "visibility"]),
    page_size=st.integers(2, 20),
    rows=st.integers(1, 6),
)
def test_every_event_is_told_at_least_once_whoever_is_killed_when(steps, order, page_size, rows):
    with time_machine.travel(NOON, tick=False) as clock:
        platform = Platform(order, page_size)
        platform.tags = {1: ["all"], 2: ["all"], 3: ["all", "third"]}
        queries = [{"instance_id": 1}, {"tag": "all"}, {"tag": "third"}, {"instance_id": 2}]
        watchers = [Watcher(look_of("now", **query), EventLimits(rows, 65_536, 100)) for query in queries]
        orders = ListOrders()

        def tick():
            asking = [each for each in watchers if not each.rest.rows]
            batches = read_events(platform, [each.look for each in asking], orders) if asking else []
            answers = dict(zip(map(id, asking), batches, strict=True))
            for each in watchers:
                each.turn(answers.get(id(each)))

        for emitted, killed, seconds in steps:
            for instance_id, visible_after, objects in emitted:
                platform.emit(instance_id, visible_after, objects)
            for number in killed:
                watchers[number].kill()
            clock.shift(seconds)
            tick()
        clock.shift(600)
        for _ in range(3):
            tick()
            clock.shift(TRUST_TIME)
        while any(each.rest.rows or each.in_memory for each in watchers):
            tick()
        of = [{1}, {1, 2, 3}, {3}, {2}]
        for watcher, meant in zip(watchers, of, strict=True):
            wanted = {
                f"event-{number}" for _, number, instance_id, _ in platform.events if instance_id in meant
            }
            assert set(watcher.persisted) == wanted
            if not watcher.killed:
                rows_each = {body["id"]: body for *_, body in platform.events}
                told = len(watcher.persisted)
                assert told == sum(
                    len(json.loads(rows_each[each]["notifiedData"][0])["message"]["events"])
                    for each in wanted
                )


def test_the_settle_time_is_the_reader_s():
    assert event_reading.SETTLE_TIME == 600.0
