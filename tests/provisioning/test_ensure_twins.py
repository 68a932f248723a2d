"""``ensure`` when there are several: the oldest is kept, the others are named, deleted only if asked."""

from __future__ import annotations

import threading
from dataclasses import replace
from functools import partial

import pytest

from airflow_provider_cloudelements.exceptions import CloudElementsConflictError, CloudElementsError
from airflow_provider_cloudelements.provisioning.ensure import ensure as ensuring
from airflow_provider_cloudelements.provisioning.memory import CallMemory
from tests.support.platform import WAYS, Wire, client_of, marked, presented, spec_of


@pytest.fixture
def ensure(sandbox):
    with client_of(sandbox) as client:
        yield partial(ensuring, client.instances)


def at_once(sandbox, specs, **options):
    """Ensure all of them in threads of their own; none creates before all have looked up."""
    sandbox.configure(create_delay=0.3)
    outcomes = [None] * len(specs)
    together = threading.Barrier(len(specs))

    def one(number):
        with client_of(sandbox, create_timeout=10.0) as client:
            look_up = client.instances.list

            def look_up_together(**query):
                found = list(look_up(**query))
                if not waited:
                    waited.append(True)
                    together.wait(10)
                return iter(found)

            waited = []
            client.instances.list = look_up_together
            try:
                outcomes[number] = ensuring(client.instances, specs[number], **options)
            except CloudElementsError as error:
                outcomes[number] = error

    threads = [threading.Thread(target=one, args=(number,)) for number in range(len(specs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    sandbox.configure(create_delay=0)
    return outcomes


@pytest.mark.parametrize("way", WAYS)
def test_two_at_once_agree_on_the_oldest_and_name_the_other(way, sandbox, ensure, caplog):
    spec = spec_of(way, sandbox)
    other = replace(spec, provider_data={"code": sandbox.code()}) if way == "code" else spec
    outcomes = at_once(sandbox, [spec, other])
    oldest, youngest = sorted(each["id"] for each in sandbox.instances())
    assert [each.instance.id for each in outcomes] == [oldest, oldest]
    assert sorted(each.created for each in outcomes) == [False, True]
    assert all(each.instance.token == outcomes[0].instance.token for each in outcomes)
    assert (youngest,) in [each.twins for each in outcomes]
    assert f"it has twins: ({youngest},)" in caplog.text
    assert presented(sandbox) == ([1, 1] if way == "code" else [])

    # Later ones keep to it, go on naming the twin, and delete it when asked.
    wire = Wire(sandbox)
    kept = ensure(replace(spec, provider_data={}))
    assert (kept.instance.id, kept.twins, wire.writes()) == (oldest, (youngest,), [])
    tidied = ensure(replace(spec, provider_data={}), delete_twins=True)
    assert (tidied.instance.id, tidied.twins) == (oldest, (youngest,))
    assert [each["id"] for each in sandbox.instances()] == [oldest]
    assert presented(sandbox) == ([1, 1] if way == "code" else [])


def test_five_at_once_that_may_delete_leave_one(sandbox):
    spec = spec_of("basic", sandbox)
    outcomes = at_once(sandbox, [spec] * 5, delete_twins=True)
    (there,) = sandbox.instances()
    assert [each.instance.id for each in outcomes] == [there["id"]] * 5


def test_two_at_once_with_fail_and_different_origins_give_one_and_a_conflict(sandbox):
    specs = [spec_of("basic", sandbox, origin=origin) for origin in ("run 1", "run 2")]
    outcomes = at_once(sandbox, specs, if_exists="fail")
    errors = [each for each in outcomes if isinstance(each, CloudElementsConflictError)]
    made = [each for each in outcomes if each not in errors]
    assert (len(errors), len(made)) == (1, 1)
    assert made[0].created
    assert made[0].instance.id == min(each["id"] for each in sandbox.instances())


def test_two_at_once_with_one_key_and_different_elements_are_not_mixed_up(sandbox, person):
    specs = [spec_of("basic", sandbox, key="shared"), spec_of("refresh", sandbox, key="shared")]
    outcomes = at_once(sandbox, specs)
    errors = [each for each in outcomes if isinstance(each, CloudElementsConflictError)]
    (made,) = (each for each in outcomes if each not in errors)
    assert len(errors) == 1
    assert "its element is" in str(errors[0])
    shown = person.show(made.instance.id)
    assert shown["element"]["key"] == specs[outcomes.index(made)].element
    assert set(shown["configuration"]) >= set(specs[outcomes.index(made)].configuration)


@pytest.mark.parametrize("delete_twins", [False, True])
@pytest.mark.parametrize("how", ["another element", "fail"])
def test_who_loses_reports_and_if_asked_deletes_what_it_made_whatever_it_raises(
    how, delete_twins, sandbox, caplog
):
    first, options = spec_of("basic", sandbox, key="shared", origin="run 1"), {}
    if how == "fail":
        second, options = replace(first, origin="run 2"), {"if_exists": "fail"}
    else:
        second = spec_of("refresh", sandbox, key="shared", origin="run 2")
    outcomes = at_once(sandbox, [first, second], delete_twins=delete_twins, **options)
    (error,) = (each for each in outcomes if isinstance(each, CloudElementsError))
    (made,) = (each for each in outcomes if each is not error)
    left = [each["id"] for each in sandbox.instances()]
    assert left == [made.instance.id, *([] if delete_twins else [error.instance_id])]
    assert error.instance_id not in (None, made.instance.id)
    assert f"Instance {error.instance_id}, which this task made" in caplog.text
    assert isinstance(error, CloudElementsConflictError)


@pytest.mark.parametrize("delete_twins", [False, True])
def test_a_later_try_that_fails_still_reports_what_an_earlier_one_made(
    delete_twins, sandbox, person, ensure, caplog
):
    spec, memory = spec_of("basic", sandbox, key="shared"), CallMemory()
    other = person.make("refresh")
    sandbox.add_fault("status", status=500, method="GET", path="/instances", skip=1, count=2)
    with pytest.raises(CloudElementsError) as caught:
        ensure(spec, memory=memory)
    made = caught.value.instance_id
    # The older one, of another element, turns out to be of the same key.
    person.edit(other, tags=[spec.marker])
    sandbox.clear_faults()
    with pytest.raises(CloudElementsConflictError, match="its element is"):
        ensure(spec, memory=memory, delete_twins=delete_twins)
    assert f"Instance {made}, which this task made" in caplog.text
    assert [each["id"] for each in sandbox.instances()] == [other, *([] if delete_twins else [made])]


def test_a_loser_that_cannot_delete_what_it_made_says_so_and_raises_what_it_was_about(
    sandbox, person, caplog
):
    first, second = (spec_of(way, sandbox, key="shared") for way in ("basic", "refresh"))
    sandbox.add_fault("status", status=500, method="DELETE", count=None)
    outcomes = at_once(sandbox, [first, second], delete_twins=True)
    kinds = {type(each) for each in outcomes if isinstance(each, CloudElementsError)}
    assert CloudElementsConflictError in kinds
    assert "could not be deleted" in caplog.text
    assert len(sandbox.instances()) == 2


def test_two_at_once_with_reuse_change_nothing_of_each_other(sandbox, person):
    specs = [
        replace(spec_of("basic", sandbox), configuration={**WAYS["basic"][1], "event.objects": objects})
        for objects in ("leads", "contacts")
    ]
    outcomes = at_once(sandbox, specs, if_exists="reuse")
    (creator,) = (number for number, each in enumerate(outcomes) if each.created)
    shown = person.show(outcomes[creator].instance.id)
    assert shown["configuration"]["event.objects"] == ("leads", "contacts")[creator]


def test_one_made_by_hand_later_is_named_and_kept_unless_asked(sandbox, person, ensure):
    spec = spec_of("basic", sandbox)
    made = ensure(spec)
    by_hand = person.make("basic", tags=["by hand", spec.marker])
    again = ensure(spec)
    assert (again.instance.id, again.twins) == (made.instance.id, (by_hand,))
    assert len(sandbox.instances()) == 2
    ensure(spec, delete_twins=True)
    assert [each["id"] for each in sandbox.instances()] == [made.instance.id]


@pytest.mark.parametrize("order", ["ascending", "descending"])
def test_the_oldest_is_kept_in_whatever_order_the_platform_lists(order, sandbox, person, ensure):
    sandbox.configure(order=order)
    spec = spec_of("basic", sandbox)
    ids = [person.make("basic", tags=[spec.marker]) for _ in range(3)]
    ensured = ensure(spec)
    assert (ensured.instance.id, ensured.twins) == (ids[0], tuple(ids[1:]))


def test_one_whose_marker_was_removed_is_still_the_oldest_for_who_remembers_it(sandbox, person, ensure):
    spec, memory = spec_of("basic", sandbox), CallMemory()
    made = ensure(spec, memory=memory)
    person.edit(made.instance.id, tags=[])
    younger = ensure(spec)  # one that does not remember makes another
    assert younger.created
    again = ensure(spec, memory=memory)
    assert (again.instance.id, again.twins) == (made.instance.id, (younger.instance.id,))
    assert [each["id"] for each in marked(sandbox, spec.key)] == [made.instance.id, younger.instance.id]


def test_an_instance_of_another_key_is_never_a_twin(sandbox, ensure):
    spec = spec_of("basic", sandbox)
    ensure(replace(spec, key="another"))
    ensured = ensure(spec, delete_twins=True)
    assert ensured.twins == ()
    assert len(sandbox.instances()) == 2


def test_a_platform_that_ignores_the_filter_shows_no_false_twin(sandbox):
    with client_of(sandbox) as client:
        spec = spec_of("basic", sandbox)
        ensuring(client.instances, replace(spec, key="another"))
        send = client.http.send

        def without_filter(method, path, *, params=None, **rest):
            return send(method, path, params={"pageSize": 200} if params else None, **rest)

        client.http.send = without_filter
        ensured = ensuring(client.instances, spec, delete_twins=True)
    assert ensured.created
    assert len(sandbox.instances()) == 2
