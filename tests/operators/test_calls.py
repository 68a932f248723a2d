"""HTTP calls of each operator and of a sensor's look: the table of docs/performance.md, counted."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_provider_cloudelements.operators.changes import (
    CloudElementsDisableInstanceOperator,
    CloudElementsEnableInstanceOperator,
    CloudElementsReauthenticateInstanceOperator,
    CloudElementsUpdateInstanceOperator,
)
from airflow_provider_cloudelements.operators.deliveries import (
    CloudElementsReleaseDeliveriesOperator,
    CloudElementsSetNotificationPolicyOperator,
)
from airflow_provider_cloudelements.operators.event_reading import (
    CloudElementsReadEventsOperator,
    CloudElementsReconcileEventsOperator,
)
from airflow_provider_cloudelements.operators.events import (
    CloudElementsDisableEventsOperator,
    CloudElementsEnableEventsOperator,
)
from airflow_provider_cloudelements.operators.health import CloudElementsCheckInstancesOperator
from airflow_provider_cloudelements.operators.instances import (
    CloudElementsCreateInstanceOperator,
    CloudElementsDeleteInstanceOperator,
)
from airflow_provider_cloudelements.operators.oauth import CloudElementsGetOAuthUrlOperator
from airflow_provider_cloudelements.sensors.events import CloudElementsEventSensor
from airflow_provider_cloudelements.sensors.instances import CloudElementsInstanceSensor
from tests.support.context import context_of
from tests.support.patience import wait_for
from tests.support.platform import CALLBACK, Wire

PAGE = Path(__file__).parents[2] / "docs" / "performance.md"
KEY = "microsoftgraph/My calendar"


class World:
    """An account with one instance, and what acts on it."""

    def __init__(self, sandbox, person):
        self.sandbox, self.person = sandbox, person
        self.id = None

    def run(self, kind, **arguments):
        return kind(task_id="t", **arguments).execute(context_of())

    def look(self, kind, **arguments):
        return kind(task_id="t", **arguments).poke(context_of())

    def create(self, **arguments):
        arguments = {"instance_name": "My calendar", "element_conn_id": "app", **arguments}
        return self.run(CloudElementsCreateInstanceOperator, **arguments)

    def create_basic(self, **arguments):
        return self.create(element_conn_id="basic", **arguments)

    def code(self):
        return self.sandbox.code("microsoftgraph")

    def ready(self):
        self.id = self.create(authorization_code=self.code())["id"]

    def short_rows(self):
        self.ready()
        self.sandbox.configure(list_rows="short")

    def disabled(self):
        self.ready()
        self.person.disable(self.id)

    def with_event(self):
        self.ready()
        (event,) = self.sandbox.emit(self.id)
        path = f"/instances/events/{event}"
        wait_for(lambda: self.person.call("GET", path)["status"] == "NOTIFIED")


Work = Callable[[World], object]
LIST, READ, PING, PATCH = "GET /instances", "GET /instances/N", "GET /ping", "PATCH /instances/N"
SINCE = {"since": "2026-01-01"}

Create = CloudElementsCreateInstanceOperator
Update = CloudElementsUpdateInstanceOperator
Reauthenticate = CloudElementsReauthenticateInstanceOperator
Deliveries = "/notifications/subscriptions/deliveries"

#: Row of the table: what is prepared, what is counted, and the calls.
ROWS: dict[str, tuple[Work | None, Work, list[str]]] = {
    "Create, first time": (None, World.create_basic, [LIST, "POST /instances", LIST]),
    "Create, first time, with a code": (
        None,
        lambda on: on.create(authorization_code=on.code()),
        [LIST, "GET /elements/microsoftgraph/configuration", "POST /instances", LIST],
    ),
    "Create, unchanged": (World.ready, World.create, [LIST]),
    'Create, unchanged, `if_exists="reuse"`': (
        World.ready,
        lambda on: on.create(if_exists="reuse"),
        [LIST],
    ),
    "Create, unchanged, in a list that leaves out configuration": (
        World.short_rows,
        World.create,
        [LIST, READ],
    ),
    "Create, one tag changed": (World.ready, lambda on: on.create(tags=["new"]), [LIST, PATCH]),
    "Create, event settings changed": (
        World.ready,
        lambda on: on.create(event_callback_url="https://other.example.com/"),
        [LIST, PATCH, READ],
    ),
    "Update by id, unchanged": (World.ready, lambda on: on.run(Update, instance_id=on.id), [READ]),
    "Update by key, unchanged": (World.ready, lambda on: on.run(Update, instance_key=KEY), [LIST]),
    "Update by id, one tag changed": (
        World.ready,
        lambda on: on.run(Update, instance_id=on.id, add_tags=["new"]),
        [READ, PATCH],
    ),
    "Update by key, one tag changed": (
        World.ready,
        lambda on: on.run(Update, instance_key=KEY, add_tags=["new"]),
        [LIST, PATCH],
    ),
    "Reauthenticate by id, unchanged": (
        World.ready,
        lambda on: on.run(Reauthenticate, instance_id=on.id, element_conn_id="app"),
        [READ, PING],
    ),
    "Reauthenticate by key, unchanged": (
        World.ready,
        lambda on: on.run(Reauthenticate, instance_key=KEY, element_conn_id="app"),
        [LIST, PING],
    ),
    "Reauthenticate by id, with a new code": (
        World.ready,
        lambda on: on.run(Reauthenticate, instance_id=on.id, authorization_code=on.code()),
        [READ, PATCH, READ, PING],
    ),
    "Enable by id, unchanged": (
        World.ready,
        lambda on: on.run(CloudElementsEnableInstanceOperator, instance_id=on.id),
        [READ],
    ),
    "Enable by id, changed": (
        World.disabled,
        lambda on: on.run(CloudElementsEnableInstanceOperator, instance_id=on.id),
        [READ, "PUT /instances/N/enabled", READ],
    ),
    "Disable by key, changed": (
        World.ready,
        lambda on: on.run(CloudElementsDisableInstanceOperator, instance_key=KEY),
        [LIST, "DELETE /instances/N/enabled", READ],
    ),
    "EnableEvents by id, unchanged": (
        World.ready,
        lambda on: on.run(CloudElementsEnableEventsOperator, instance_id=on.id, element_conn_id="app"),
        [READ],
    ),
    "EnableEvents by key, unchanged": (
        World.ready,
        lambda on: on.run(CloudElementsEnableEventsOperator, instance_key=KEY, element_conn_id="app"),
        [LIST],
    ),
    "EnableEvents by id, changed": (
        World.ready,
        lambda on: on.run(
            CloudElementsEnableEventsOperator, instance_id=on.id, event_callback_url="https://o.example.com/"
        ),
        [READ, "GET /elements/N/metadata", PATCH, READ],
    ),
    "DisableEvents by id, changed": (
        World.ready,
        lambda on: on.run(CloudElementsDisableEventsOperator, instance_id=on.id),
        [READ, PATCH, READ],
    ),
    "GetOAuthUrl": (
        None,
        lambda on: on.run(CloudElementsGetOAuthUrlOperator, element_conn_id="app"),
        ["GET /elements/microsoftgraph/oauth/url"],
    ),
    "CheckInstances, account of one": (
        World.ready,
        lambda on: on.run(CloudElementsCheckInstancesOperator),
        [LIST, PING],
    ),
    "ReleaseDeliveries by callback URL, none queued": (
        World.ready,
        lambda on: on.run(CloudElementsReleaseDeliveriesOperator, callback_url=CALLBACK),
        [f"GET {Deliveries}", f"PUT {Deliveries}"],
    ),
    "ReleaseDeliveries by key, none queued": (
        World.ready,
        lambda on: on.run(CloudElementsReleaseDeliveriesOperator, instance_key=KEY),
        [LIST, f"GET {Deliveries}", f"PUT {Deliveries}"],
    ),
    "SetNotificationPolicy, unchanged": (
        None,
        lambda on: on.run(CloudElementsSetNotificationPolicyOperator, policy="retry"),
        ["GET /accounts/settings"],
    ),
    "InstanceSensor by id, ready": (
        World.ready,
        lambda on: on.look(CloudElementsInstanceSensor, instance_id=on.id),
        [READ, PING],
    ),
    "InstanceSensor by key, ready": (
        World.ready,
        lambda on: on.look(CloudElementsInstanceSensor, instance_key=KEY),
        [LIST, PING],
    ),
    'InstanceSensor by key, `until="exists"`': (
        World.ready,
        lambda on: on.look(CloudElementsInstanceSensor, instance_key=KEY, until="exists"),
        [LIST],
    ),
    "EventSensor by id, one event": (
        World.with_event,
        lambda on: on.look(CloudElementsEventSensor, instance_id=on.id, **SINCE),
        ["GET /instances/N/events"],
    ),
    "EventSensor by key, one event": (
        World.with_event,
        lambda on: on.look(CloudElementsEventSensor, instance_key=KEY, **SINCE),
        ["GET /instances/events", LIST],
    ),
    "ReadEvents by id, one event": (
        World.with_event,
        lambda on: on.run(CloudElementsReadEventsOperator, instance_id=on.id, **SINCE),
        ["GET /instances/N/events"],
    ),
    "ReconcileEvents by id, one event": (
        World.with_event,
        lambda on: on.run(CloudElementsReconcileEventsOperator, instance_id=on.id, settle_time=0, **SINCE),
        [READ, "GET /notifications/subscriptions", "GET /instances/N/events", f"GET {Deliveries}"],
    ),
    "Delete by id": (
        World.ready,
        lambda on: on.run(CloudElementsDeleteInstanceOperator, instance_id=on.id),
        ["DELETE /instances/N"],
    ),
    "Delete by key": (
        World.ready,
        lambda on: on.run(CloudElementsDeleteInstanceOperator, instance_key=KEY),
        [LIST, "DELETE /instances/N"],
    ),
}


@pytest.fixture
def world(sandbox, person, element_connection):
    element_connection(
        "app",
        login="client-1",
        password="app-secret-1",
        extra={
            "element": "microsoftgraph",
            "oauth_scope": "Calendars.Read offline_access",
            "oauth_callback_url": "https://app.example.com/callback",
            "event_callback_url": CALLBACK,
            "event_signature_secret": "signature-1",
        },
    )
    element_connection(
        "basic",
        login="ada",
        password="first-password",
        extra={"element": "closeio", "authentication": "basic", "event_callback_url": CALLBACK},
    )
    return World(sandbox, person)


@pytest.mark.parametrize("row", ROWS)
def test_it_makes_the_calls_of_the_table(row, world):
    prepare, work, calls = ROWS[row]
    if prepare is not None:
        prepare(world)
    wire = Wire(world.sandbox)
    work(world)
    assert wire.calls() == calls


def test_the_page_has_the_same_table():
    section = PAGE.read_text().partition("## Calls of a task")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (.+?) \| (\d+) \| (.+?) \|$", section, flags=re.MULTILINE)
    expected = [
        (row, str(len(calls)), ", ".join(f"`{call}`" for call in calls))
        for row, (_, _, calls) in ROWS.items()
    ]
    assert rows == [(row, count, text.replace("/N", "/{id}")) for row, count, text in expected]
