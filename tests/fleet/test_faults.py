"""Storms, bursts, time-outs and races: every instance ends as in the manifest, exactly once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from airflow_provider_cloudelements.exceptions import CloudElementsError
from airflow_provider_cloudelements.fleet import apply, plan
from airflow_provider_cloudelements.provisioning import InstanceSpec, ensure
from tests.support.fleet import applied, both, manifest_of, tenants
from tests.support.package import ROOT
from tests.support.platform import EVENTS, Wire, client_of

MANY = 120


def names(sandbox):
    return sorted(each["name"] for each in sandbox.instances())


def expected(count=MANY):
    return sorted(each["name"] for each in tenants(count))


def failed_share(sandbox, before=0):
    """Return which part of the calls was wasted: answered by a fault. Leave out some earlier calls."""
    rules = sandbox.faults()
    return sum(each["applied"] for each in rules) / (len(sandbox.requests()) - before)


def assert_all_there(sandbox, client, connections, report):
    """Check that each of the instances is there once, and how many calls were in vain."""
    share = failed_share(sandbox)
    sandbox.clear_faults()
    assert report.ok, report.markdown()
    assert names(sandbox) == expected()
    assert share < 0.05
    assert plan(client, manifest_of(*tenants(MANY)), connections).clean


@pytest.mark.slow
@pytest.mark.parametrize(
    "fault",
    [
        {"action": "status", "status": 429, "chance": 0.03, "seed": 7},
        {"action": "status", "status": 429, "retry_after": "1", "count": 4, "skip": 30},
        {"action": "status", "status": 503, "when": "before", "count": 4, "skip": 30, "method": "POST"},
        {"action": "status", "status": 502, "when": "after", "count": 4, "skip": 30, "method": "POST"},
        {"action": "drop", "when": "after", "count": 4, "skip": 30, "method": "POST"},
        {"action": "drop", "when": "before", "count": 4, "skip": 30, "method": "POST"},
        {"action": "cut", "count": 3, "skip": 30, "method": "POST"},
    ],
    ids=lambda fault: " ".join(str(each) for each in fault.values()),
)
def test_faults_during_an_apply(sandbox, connections, fault):
    client = client_of(sandbox, max_retries=3)
    made = plan(client, manifest_of(*tenants(MANY)), connections)
    sandbox.add_fault(**{"count": None, **fault})
    report = apply(client, made, made.checksum, connections, concurrency=4, settle_time=1)
    assert_all_there(sandbox, client, connections, report)


def test_a_create_that_answers_after_the_time_out_is_found(sandbox, connections):
    client = client_of(sandbox, create_timeout=0.5, max_retries=0)
    sandbox.add_fault("delay", when="before", seconds=1.5, method="POST", path="/instances", count=2)
    _, report = both(client, manifest_of(*tenants(6)), connections, settle_time=4)
    assert report.ok, report.markdown()
    assert names(sandbox) == expected(6)


@pytest.mark.slow
def test_time_outs_of_a_few_creates_among_many(sandbox, connections):
    client = client_of(sandbox, create_timeout=0.7, max_retries=0)
    made = plan(client, manifest_of(*tenants(MANY)), connections)
    sandbox.add_fault("delay", when="before", seconds=1.5, method="POST", path="/instances", count=4, skip=30)
    report = apply(client, made, made.checksum, connections, concurrency=4, settle_time=4)
    assert_all_there(sandbox, client, connections, report)


STORM = {
    "too many": {"action": "status", "status": 429, "chance": 0.01, "seed": 5, "count": None},
    "down": {"action": "status", "status": 503, "when": "before", "chance": 0.01, "seed": 6, "count": None},
    "list breaks off": {"action": "drop", "method": "GET", "path": "/instances", "skip": 2, "count": 1},
    "page is cut": {"action": "cut", "method": "GET", "path": "/instances", "skip": 9, "count": 1},
}


@pytest.mark.slow
def test_a_storm_and_a_list_that_breaks_off_during_plan_and_apply(sandbox, connections):
    """The list has six pages, so that it can break off in its midst."""
    sandbox.configure(page_size=20)
    client = client_of(sandbox, max_retries=4)
    applied(client, manifest_of(*tenants(MANY), events_enabled=False), connections, concurrency=8)
    rows = [*tenants(80), *tenants(40, MANY + 1)]
    for each in rows[:30]:
        each["tags"] = ["gold"]
    manifest = manifest_of(*rows, events_enabled=False)
    before = len(sandbox.requests())
    for rule in STORM.values():
        sandbox.add_fault(**rule)
    made = plan(client, manifest, connections, prune=True)
    assert made.counts == {"update": 30, "create": 40, "delete": 40}
    report = apply(
        client, made, made.checksum, connections, concurrency=4, force=["updates", "deletes"], settle_time=1
    )
    share = failed_share(sandbox, before)
    assert sum(each["applied"] for each in sandbox.faults()) >= 5
    sandbox.clear_faults()
    assert report.ok, report.markdown()
    assert names(sandbox) == sorted(each["name"] for each in rows)
    assert share < 0.05
    assert plan(client, manifest, connections, prune=True).clean


def test_a_list_that_breaks_off_at_the_begin_changes_nothing_and_at_the_end_is_told(sandbox, connections):
    client = client_of(sandbox, max_retries=0)
    made = plan(client, manifest_of(*tenants(3)), connections)
    rule = {"action": "status", "status": 503, "method": "GET", "path": "/instances", "count": None}
    sandbox.add_fault(**rule)
    wire = Wire(sandbox)
    with pytest.raises(CloudElementsError):
        apply(client, made, made.checksum, connections)
    assert wire.writes() == []
    sandbox.clear_faults()
    sandbox.add_fault(**{**rule, "skip": 1})
    report = apply(client, made, made.checksum, connections)
    assert report.ok
    assert not report.verified
    assert "could not be read at the end" in report.note
    sandbox.clear_faults()
    assert plan(client, manifest_of(*tenants(3)), connections).empty


def test_updates_and_deletes_through_a_storm(sandbox, connections):
    applied(client_of(sandbox), manifest_of(*tenants(40), events_enabled=False), connections)
    rows = [{**each, "tags": ["gold"]} for each in tenants(30)]
    client = client_of(sandbox, max_retries=3)
    made = plan(client, manifest_of(*rows, events_enabled=False), connections, prune=True)
    assert made.counts == {"update": 30, "delete": 10}
    sandbox.add_fault("status", status=503, chance=0.03, seed=3, count=None)
    report = apply(client, made, made.checksum, connections, force=["updates"], settle_time=1)
    share = failed_share(sandbox)
    sandbox.clear_faults()
    assert report.ok, report.markdown()
    assert share < 0.05
    assert names(sandbox) == expected(30)
    assert plan(client, manifest_of(*rows, events_enabled=False), connections, prune=True).empty


def test_two_applies_at_once_end_in_one_instance_a_key(sandbox, connections):
    sandbox.configure(create_delay=0.05)
    made = plan(client_of(sandbox), manifest_of(*tenants(25)), connections)
    reports = []

    def run():
        reports.append(
            apply(client_of(sandbox), made, made.checksum, connections, concurrency=4, settle_time=2)
        )

    threads = [threading.Thread(target=run) for _ in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert [each.ok for each in reports] == [True, True], [each.markdown() for each in reports]
    # An instance of the one may be made after the other has looked: whoever looks last sees all of them.
    assert names(sandbox) == expected(25)
    assert plan(client_of(sandbox), manifest_of(*tenants(25)), connections).notes == ()


def test_an_apply_beside_a_scheduled_create(sandbox, connections):
    sandbox.configure(create_delay=0.05)
    made = plan(client_of(sandbox), manifest_of(*tenants(12)), connections)
    ended = []

    def scheduled():
        for n in range(12, 0, -1):
            configuration = {"username": "ada", "password": "first/pass+word=", **EVENTS}
            spec = InstanceSpec("closeio", f"Tenant {n}", f"tenant-{n}", configuration)
            ended.append(ensure(client_of(sandbox).instances, spec, with_token=False, delete_twins=True))

    thread = threading.Thread(target=scheduled)
    thread.start()
    report = apply(client_of(sandbox), made, made.checksum, connections, concurrency=2)
    thread.join()
    assert len(ended) == 12
    assert {str(each.status) for each in report.results} <= {"done", "stale", "already"}
    # What the scheduled create made first lacks the ownership tag: a plan with adopt takes it over.
    both(client_of(sandbox), manifest_of(*tenants(12)), connections, adopt=True, force=["updates"])
    assert names(sandbox) == expected(12)
    assert plan(client_of(sandbox), manifest_of(*tenants(12)), connections).empty


PROGRAM = """
import sys
from airflow_provider_cloudelements.client import CloudElementsClient
from airflow_provider_cloudelements.connections import ConnectionSettings
from airflow_provider_cloudelements.fleet import apply, plan
from tests.support.fleet import Connections, manifest_of, tenants
client = CloudElementsClient(ConnectionSettings(*sys.argv[1:4]))
made = plan(client, manifest_of(*tenants(60)), Connections())
apply(client, made, made.checksum, Connections(), concurrency=4, on_progress=lambda _: print("x", flush=True))
"""


@pytest.mark.slow
@pytest.mark.parametrize("after", [1, 17, 43])
def test_a_killed_process_is_run_again(sandbox, connections, after):
    sandbox.configure(create_delay=0.05)
    command = [sys.executable, "-c", PROGRAM, sandbox.url, sandbox.user_secret, sandbox.organization_secret]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, env=os.environ, text=True) as process:
        for _ in range(after):
            assert process.stdout is not None
            assert process.stdout.readline() == "x\n"
        process.send_signal(signal.SIGKILL)
    there = len(sandbox.instances())
    assert after <= there < 60
    time.sleep(0.2)  # the calls that were under way end
    _, report = both(client_of(sandbox), manifest_of(*tenants(60)), connections, concurrency=4)
    assert report.ok, report.markdown()
    assert names(sandbox) == expected(60)
    assert plan(client_of(sandbox), manifest_of(*tenants(60)), connections).notes == ()
