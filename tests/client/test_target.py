"""Which instance is meant: exactly one way to name it, twins, tags that several have, and elements."""

from __future__ import annotations

import json
import unicodedata
from dataclasses import replace

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_cloudelements.client import CloudElementsClient
from airflow_provider_cloudelements.client.models import Instance
from airflow_provider_cloudelements.client.tags import Identity, marker_tag
from airflow_provider_cloudelements.client.target import Target, oldest_first
from airflow_provider_cloudelements.connections import ConnectionSettings
from airflow_provider_cloudelements.exceptions import (
    CloudElementsConflictError,
    CloudElementsNotFoundError,
    CloudElementsServerError,
    CloudElementsValidationError,
)
from tests.support.platform import Wire, settings_of

SETTINGS = ConnectionSettings(base_url="http://127.0.0.1:9", user_secret="u", organization_secret="o")
WAYS = ("instance_id", "instance_key", "tag")

IDS = st.integers(1, 10**19 - 1)
#: For each way: values that name an instance, and values that name none though they are given.
GOOD = {
    "instance_id": IDS | IDS.map(str) | IDS.map(lambda number: {"id": number, "name": "x"}),
    "instance_key": st.text(min_size=1).filter(str.strip),
    "tag": st.text(min_size=1).filter(str.strip),
}
BLANK = st.sampled_from([" ", "\t\n", "\u2003"])
OTHER = st.integers() | st.floats(allow_nan=False) | st.booleans() | st.lists(st.text()) | st.binary()
BAD = {
    "instance_id": st.sampled_from(
        [0, -1, 10**19, True, False, 1.5, "x", "1.0", "-3", str(10**19), "None", "²", {}, {"id": None}, []]
    ),
    "instance_key": BLANK | OTHER,
    "tag": BLANK | OTHER,
}
NOT_GIVEN = st.sampled_from([None, ""])


@pytest.fixture
def instances(sandbox):
    with CloudElementsClient(settings_of(sandbox)) as client:
        yield client.instances


# -- what is given --------------------------------------------------------------------------------


@given(st.data(), st.sets(st.sampled_from(WAYS)))
def test_exactly_one_way_names_an_instance(data, ways):
    arguments = {way: data.draw(GOOD[way] if way in ways else NOT_GIVEN) for way in WAYS}
    if len(ways) != 1:
        with pytest.raises(CloudElementsValidationError) as caught:
            Target.of(SETTINGS, **arguments)
        named = ", ".join(way for way in WAYS if way in ways) or "none"
        assert str(caught.value) == (
            f"Exactly one of instance_id, instance_key and tag must be given; given are: {named}."
            + ("" if ways else " If the DAG gives one, it is None or empty: look at what it comes from.")
        )
        assert not caught.value.retryable
        return
    target = Target.of(SETTINGS, **arguments)
    (way,) = ways
    value = arguments[way]
    wanted = {
        "instance_id": lambda: (int(value["id"] if isinstance(value, dict) else value), None, False),
        "instance_key": lambda: (None, marker_tag(unicodedata.normalize("NFC", value.strip())), True),
        "tag": lambda: (None, value, False),
    }[way]()
    assert (target.instance_id, target.tag, target.of_key) == wanted
    assert target.element is None


@given(st.data(), st.sampled_from(WAYS))
def test_a_malformed_value_is_refused_by_its_name(data, way):
    with pytest.raises(CloudElementsValidationError, match=f"^{way} must be"):
        Target.of(SETTINGS, **{way: data.draw(BAD[way])})


@given(st.data(), st.sampled_from(WAYS))
def test_two_ways_are_refused_even_if_one_is_malformed(data, way):
    other = WAYS[WAYS.index(way) - 1]
    with pytest.raises(CloudElementsValidationError, match="Exactly one of"):
        Target.of(SETTINGS, **{way: data.draw(BAD[way]), other: data.draw(GOOD[other])})


def test_a_target_becomes_arguments_and_back():
    target = Target.of(replace(SETTINGS, namespace="team "), instance_key="acme\n", element="closeio")
    arguments = json.loads(json.dumps(target.as_arguments()))
    assert replace(Target(**arguments), former_markers=tuple(arguments["former_markers"])) == target
    assert target.searched_tags == (marker_tag("team/acme"), marker_tag("team /acme\n"))
    assert Target.of(SETTINGS, instance_id=5).searched_tags == ()


@pytest.mark.parametrize(
    ("ways", "told"),
    [
        (("instance_id",), "Exactly one of instance_id must be given"),
        (("instance_id", "tag"), "Exactly one of instance_id and tag must be given"),
    ],
)
def test_the_error_names_the_ways_that_the_operator_takes(ways, told):
    with pytest.raises(CloudElementsValidationError, match=told):
        Target.of(SETTINGS, ways=ways)


def test_the_namespace_goes_before_the_key_and_before_nothing_else():
    ours = replace(SETTINGS, namespace="team")
    assert Target.of(ours, instance_key="a key").tag == marker_tag("team/a key")
    assert Target.of(SETTINGS, instance_key="a key").tag == marker_tag("a key")
    assert Target.of(ours, tag="a tag").tag == "a tag"


@pytest.mark.parametrize("way", [{"instance_id": 5}, {"instance_key": "k"}, {"tag": "t"}])
def test_an_empty_element_is_none_and_what_is_no_text_is_refused(way):
    assert Target.of(SETTINGS, **way, element="") == Target.of(SETTINGS, **way)
    assert Target.of(SETTINGS, **way, element="sfdc").element == "sfdc"
    for element in (5, ["sfdc"], {}):
        with pytest.raises(CloudElementsValidationError, match="element must be"):
            Target.of(SETTINGS, **way, element=element)


@pytest.mark.parametrize(
    ("way", "name"),
    [
        ({"instance_id": "7"}, "instance 7"),
        ({"instance_key": "closeio/A"}, "instance key 'closeio/A'"),
        ({"tag": "nightly"}, "tag 'nightly'"),
    ],
)
def test_it_is_called_by_what_was_given(way, name):
    assert Target.of(SETTINGS, **way).name == name


# -- which instance fits --------------------------------------------------------------------------


def made(number, *tags, element="closeio", date=None):
    return Instance(
        id=number,
        name="An instance",
        element_key=element,
        tags=tags,
        created_date=date and pendulum.parse(date),
    )


def test_what_matches():
    by_id, by_tag = Target.of(SETTINGS, instance_id=5), Target.of(SETTINGS, tag="t")
    assert by_id.matches(made(5, "t")) and not by_id.matches(made(6, "t"))  # noqa: PT018
    assert by_tag.matches(made(6, "s", "t"))
    assert not by_tag.matches(made(6, "T"))
    assert not by_tag.matches(made(6, "t "))
    of_sfdc = replace(by_tag, element="sfdc")
    assert of_sfdc.matches(made(5, "t", element="sfdc"))
    assert not of_sfdc.matches(made(5, "t"))
    assert not replace(by_id, element="sfdc").matches(made(5))


def test_of_twins_by_key_the_oldest_is_meant():
    target = Target.of(SETTINGS, instance_key="k")
    young, old = made(1, date="2026-02-01T00:00:00Z"), made(2, date="2026-01-01T00:00:00Z")
    assert target.choose([young, old]) is old
    assert target.choose(iter([])) is None


def test_of_several_by_tag_none_is_meant_and_the_error_names_ten():
    target = Target.of(SETTINGS, tag="t")
    assert target.choose([]) is None
    only = made(3, "t")
    assert target.choose([only]) is only
    with pytest.raises(CloudElementsConflictError) as caught:
        target.choose(made(number, "t") for number in range(25, 0, -1))
    assert "25 instances have tag 't', among them 1, 2, 3, 4, 5, 6, 7, 8, 9, 10. Name" in str(caught.value)


DATES = st.none() | st.datetimes().map(lambda moment: pendulum.instance(moment, tz="UTC"))


@given(st.lists(st.tuples(st.integers(1, 50), DATES), unique_by=lambda each: each[0]))
def test_oldest_first_is_by_date_if_all_have_one_else_by_id(rows):
    given_ones = [replace(made(number), created_date=date) for number, date in rows]
    ordered = oldest_first(iter(given_ones))
    assert sorted(each.id for each in ordered) == sorted(each.id for each in given_ones)
    if all(date is not None for _, date in rows):
        assert ordered == sorted(given_ones, key=lambda each: (each.created_date, each.id))
    else:
        assert ordered == sorted(given_ones, key=lambda each: each.id)


# -- asking the platform --------------------------------------------------------------------------


def test_by_id_it_is_one_call(sandbox, person, instances):
    person.make("basic")
    there = person.make("basic")
    target = Target.of(instances.http.settings, instance_id=there)
    wire = Wire(sandbox)
    for ask in (target.look_up, target.get):
        assert (ask(instances).id, ask(instances).token) == (there, None)
    assert wire.calls() == ["GET /instances/N"] * 4


def test_by_id_there_is_none(instances):
    target = Target.of(instances.http.settings, instance_id=999_999)
    for ask in (target.look_up, target.get):
        with pytest.raises(CloudElementsNotFoundError):
            ask(instances)


def test_by_id_of_another_element_is_a_conflict(person, instances):
    there = person.make("basic")
    target = Target.of(instances.http.settings, instance_id=there, element="sfdc")
    for ask in (target.look_up, target.get):
        with pytest.raises(CloudElementsConflictError) as caught:
            ask(instances)
        assert str(caught.value) == f"Instance {there} is of element 'closeio', not 'sfdc'."
    fitting = Target.of(instances.http.settings, instance_id=there, element="closeio")
    assert fitting.get(instances).id == there


@pytest.mark.parametrize("order", ["ascending", "descending"])
def test_by_key_twins_are_no_conflict(order, sandbox, person, instances):
    sandbox.configure(order=order)
    first = person.make("basic", tags=[marker_tag("closeio/A")])
    person.make("basic", tags=[marker_tag("closeio/A"), "x"])
    person.make("basic", tags=[marker_tag("closeio/B")])
    target = Target.of(instances.http.settings, instance_key="closeio/A")
    assert target.look_up(instances).id == target.get(instances).id == first


def test_by_key_of_the_connections_namespace(sandbox, person):
    bare, ours = (person.make("basic", tags=[marker_tag(key)]) for key in ("k", "team/k"))
    for namespace, wanted in (("", bare), ("team", ours)):
        with CloudElementsClient(settings_of(sandbox, namespace=namespace)) as client:
            assert Target.of(client.settings, instance_key="k").get(client.instances).id == wanted


def test_by_key_one_of_another_pair_that_shares_the_marker_is_not_meant(person, instances):
    other = person.make("basic", tags=[*Identity("team", "a").tags])
    settings = instances.http.settings
    target = Target.of(settings, instance_key="team/a")
    assert target.look_up(instances) is None
    assert [each.id for each in target.listed(instances)] == [other]
    assert target.find(instances) == []
    assert Target.of(replace(settings, namespace="team"), instance_key="a\t").get(instances).id == other
    own = person.make("basic", tags=[*Identity("", "team/a").tags])
    assert target.get(instances).id == own


def test_by_tag_the_only_one_and_several(person, instances):
    settings = instances.http.settings
    only = person.make("basic", tags=["a", "b"])
    other = person.make("refresh", tags=["b"])
    assert Target.of(settings, tag="a").get(instances).id == only
    target = Target.of(settings, tag="b")
    for ask in (target.look_up, target.get):
        with pytest.raises(
            CloudElementsConflictError, match=f"2 instances have tag 'b', among them {only}, "
        ):
            ask(instances)
    # With the element there is but one.
    assert Target.of(settings, tag="b", element="hubspotcrm").get(instances).id == other


@pytest.mark.parametrize("way", [{"instance_key": "k"}, {"tag": "t"}, {"tag": "t", "element": "sfdc"}])
def test_by_key_or_tag_there_may_be_none_yet(way, person, instances):
    person.make("basic", tags=["other", marker_tag("other")])
    if "element" in way:
        person.make("basic", tags=["t"])
    target = Target.of(instances.http.settings, **way)
    assert target.look_up(instances) is None
    with pytest.raises(CloudElementsNotFoundError, match=f"There is no instance with {target.name}."):
        target.get(instances)


@pytest.mark.parametrize("rows", ["whole", "short"])
@pytest.mark.parametrize("with_token", [False, True])
@pytest.mark.parametrize("way", [{"instance_key": "k"}, {"tag": "t"}])
def test_get_reads_only_what_the_list_does_not_show(way, with_token, rows, sandbox, person, instances):
    there = person.make("basic", tags=["t", marker_tag("k")])
    token = person.show(there)["token"] if with_token else None
    sandbox.configure(list_rows=rows)
    wire = Wire(sandbox)
    instance = Target.of(instances.http.settings, **way).get(instances, with_token=with_token)
    assert (instance.id, instance.configuration["username"], instance.token) == (there, "ada", token)
    assert wire.calls() == ["GET /instances", *(["GET /instances/N"] if rows == "short" else [])]


@pytest.mark.parametrize("way", [{"instance_key": "k"}, {"tag": "t"}])
def test_one_that_is_deleted_after_it_was_listed_is_not_found(way, sandbox, person, instances):
    person.make("basic", tags=["t", marker_tag("k")])
    sandbox.configure(list_rows="short")
    sandbox.add_fault("status", status=404, path="/instances/*")
    with pytest.raises(CloudElementsNotFoundError):
        Target.of(instances.http.settings, **way).get(instances)


@pytest.mark.parametrize("way", [{"instance_id": 5}, {"instance_key": "k"}, {"tag": "t"}])
def test_an_error_of_the_platform_is_not_taken_for_none(way, sandbox, instances):
    sandbox.add_fault("status", status=500, count=None)
    target = Target.of(instances.http.settings, **way)
    for ask in (target.look_up, target.get):
        with pytest.raises(CloudElementsServerError):
            ask(instances)
