"""Every public method of the client has a route in the sandbox.

They are the methods of the ``*Api`` classes, of the client, and of what DAGs call a vendor with. Each is
called here, and what the sandbox has served meanwhile are the routes that the table names for it.
"""

from __future__ import annotations

import inspect
import io
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pendulum
import pytest

from airflow_provider_cloudelements.client import CloudElementsClient, InstanceClient
from airflow_provider_cloudelements.client.wire.multipart import Form
from airflow_provider_cloudelements.provisioning import InstanceSpec
from airflow_provider_cloudelements.sandbox import Sandbox
from tests.support.package import modules
from tests.support.patience import wait_for
from tests.support.platform import CALLBACK, EVENTS, WAYS, client_of


@dataclass
class Ground:
    """
    What the client's methods are called on.

    :param sandbox: the platform
    :param client: a client of it
    :param instance: id of an instance with its events on
    :param event: id of an event of it
    :param notification: id of the notification that the event is in
    """

    sandbox: Sandbox
    client: CloudElementsClient
    instance: int
    event: str
    notification: str


Use = Callable[[Ground], Any]


def formula_of(on: Ground) -> int:
    """Return the id of an instance of the formula 8104."""
    return on.client.formulas.create_instance(FORMULA, "One").id


def execution_of(on: Ground, outcome: str = "success") -> int:
    """Return the id of an execution that ends in a given way."""
    on.sandbox.plan_formula(outcome)
    return on.client.formulas.start(formula_of(on)).id


def lead_of(on: Ground) -> str:
    """Return the id of a lead."""
    return next(on.client.instance(on.instance).records("/leads"))["id"]


def download_of(on: Ground) -> int:
    """Return the id of a download that has completed."""
    return on.client.instance(on.instance).bulk.start_download("leads", file_format="csv", limit=2)


def upload_of(on: Ground) -> int:
    """Return the id of an upload of one lead."""
    return on.client.instance(on.instance).bulk.start_upload(
        "leads", io.BytesIO(b"name\nA lead\n"), file_name="leads.csv", file_format="csv"
    )


def form_of(on: Ground) -> dict[str, Any]:
    """Send a file as a form."""
    form = Form({}, "file", io.BytesIO(b"name\nA lead\n"), "leads.csv", "text/csv")
    answer: dict[str, Any] = on.client.instance(on.instance).send_form(["bulk", "leads"], form)
    return answer


def result_of(on: Ground) -> None:
    """Read the result of a download."""
    with on.client.instance(on.instance).bulk.result(download_of(on), "leads", "csv") as body:
        assert b"".join(body)
    # The sandbox counts a call whose answer streams once it has ended, which may be after we have it all.
    wait_for(lambda: "GET /bulk/{job}/{object}" in on.sandbox.counters()["by_call"])


def streamed_of(on: Ground) -> bytes:
    """Return a body that is read part by part."""
    with on.client.instance(on.instance).streamed("/leads") as body:
        return b"".join(body)


SPEC = InstanceSpec(element="closeio", name="Another", key="closeio/Another", configuration=WAYS["basic"][1])
ONE = "/instances/{id}"
DELIVERIES = "/notifications/subscriptions/deliveries"
FORMULA = 8104
OF_FORMULA = "/formulas/{formula}/instances"
ONE_OF_FORMULA = f"{OF_FORMULA}/{{formula_instance}}"
EXECUTIONS = "/formulas/instances/{formula_instance}/executions"
EXECUTION = "/formulas/instances/executions/{execution}"
#: What makes the execution that a method acts on.
STARTED = {f"POST {OF_FORMULA}", f"POST {EXECUTIONS}"}
#: Every method: how it is called, and the routes that it then takes.
METHODS: dict[str, tuple[Use, set[str]]] = {
    "CloudElementsClient.organization": (lambda on: on.client.organization(), {"GET /organizations/me"}),
    "CloudElementsClient.instance": (lambda on: on.client.instance(on.instance), set()),
    "CloudElementsClient.close": (lambda on: on.client.close(), set()),
    "InstancesApi.create": (
        lambda on: on.client.instances.create(
            element=SPEC.element, name=SPEC.name, configuration=SPEC.configuration
        ),
        {"POST /instances"},
    ),
    "InstancesApi.get": (lambda on: on.client.instances.get(on.instance), {f"GET {ONE}"}),
    "InstancesApi.peek": (lambda on: on.client.instances.peek(on.instance), {f"GET {ONE}"}),
    "InstancesApi.token": (lambda on: on.client.instances.token(on.instance), {f"GET {ONE}"}),
    "InstancesApi.hand_out": (
        lambda on: on.client.instances.hand_out(on.client.instances.peek(on.instance)),
        {f"GET {ONE}"},
    ),
    "InstancesApi.list": (lambda on: list(on.client.instances.list()), {"GET /instances"}),
    "InstancesApi.pages": (lambda on: list(on.client.instances.pages()), {"GET /instances"}),
    "InstancesApi.update": (
        lambda on: on.client.instances.update(on.instance, name="New"),
        {f"PATCH {ONE}"},
    ),
    "InstancesApi.delete": (lambda on: on.client.instances.delete(on.instance), {f"DELETE {ONE}"}),
    "InstancesApi.ping": (
        lambda on: on.client.instances.ping(on.instance),
        {f"GET {ONE}", "GET /ping"},
    ),
    "InstancesApi.enable": (lambda on: on.client.instances.enable(on.instance), {f"PUT {ONE}/enabled"}),
    "InstancesApi.disable": (lambda on: on.client.instances.disable(on.instance), {f"DELETE {ONE}/enabled"}),
    "InstanceClient.request": (
        lambda on: on.client.instance(on.instance).request("POST", "/leads", body={"name": "A lead"}),
        {f"GET {ONE}", "POST /{object}"},
    ),
    "InstanceClient.get": (
        lambda on: on.client.instance(on.instance).get("/leads"),
        {f"GET {ONE}", "GET /{object}"},
    ),
    "InstanceClient.list": (
        lambda on: list(on.client.instance(on.instance).list("/leads")),
        {f"GET {ONE}", "GET /{object}"},
    ),
    "InstanceClient.records": (
        lambda on: list(on.client.instance(on.instance).records("/leads")),
        {f"GET {ONE}", "GET /{object}"},
    ),
    "InstanceClient.create": (
        lambda on: on.client.instance(on.instance).create("leads", {"name": "A lead"}),
        {f"GET {ONE}", "POST /{object}"},
    ),
    "InstanceClient.update": (
        lambda on: on.client.instance(on.instance).update("leads", lead_of(on), {"name": "Another"}),
        {f"GET {ONE}", "GET /{object}", "PATCH /{object}/{record}"},
    ),
    "InstanceClient.replace": (
        lambda on: on.client.instance(on.instance).replace("leads", lead_of(on), {"name": "Another"}),
        {f"GET {ONE}", "GET /{object}", "PUT /{object}/{record}"},
    ),
    "InstanceClient.delete": (
        lambda on: on.client.instance(on.instance).delete("leads", lead_of(on)),
        {f"GET {ONE}", "GET /{object}", "DELETE /{object}/{record}"},
    ),
    "InstanceClient.objects": (
        lambda on: on.client.instance(on.instance).objects(),
        {f"GET {ONE}", "GET /objects"},
    ),
    "InstanceClient.metadata": (
        lambda on: on.client.instance(on.instance).metadata("leads"),
        {f"GET {ONE}", "GET /objects/{object}/metadata"},
    ),
    "InstanceClient.ping": (
        lambda on: on.client.instance(on.instance).ping(),
        {f"GET {ONE}", "GET /ping"},
    ),
    "InstanceClient.send_form": (form_of, {f"GET {ONE}", "POST /bulk/{object}"}),
    "InstanceClient.redacted": (lambda on: on.client.instance(on.instance).redacted("text"), set()),
    "InstanceClient.streamed": (streamed_of, {f"GET {ONE}", "GET /{object}"}),
    "InstanceClient.shown": (lambda on: on.client.instance(on.instance).shown("text"), set()),
    "InstanceClient.platform_time": (lambda on: on.client.instance(on.instance).platform_time(1.0), set()),
    "BulkApi.start_query": (
        lambda on: on.client.instance(on.instance).bulk.start_query("select * from leads"),
        {f"GET {ONE}", "POST /bulk/query"},
    ),
    "BulkApi.start_download": (download_of, {f"GET {ONE}", "POST /bulk/download"}),
    "BulkApi.start_upload": (upload_of, {f"GET {ONE}", "POST /bulk/{object}"}),
    "BulkApi.status": (
        lambda on: on.client.instance(on.instance).bulk.status(download_of(on)),
        {f"GET {ONE}", "POST /bulk/download", "GET /bulk/{job}/status"},
    ),
    "BulkApi.list": (
        lambda on: list(on.client.instance(on.instance).bulk.list()),
        {f"GET {ONE}", "GET /bulk/jobs"},
    ),
    "BulkApi.cancel": (
        lambda on: on.client.instance(on.instance).bulk.cancel(download_of(on)),
        {f"GET {ONE}", "POST /bulk/download", "PUT /bulk/{job}/cancel"},
    ),
    "BulkApi.errors": (
        lambda on: list(on.client.instance(on.instance).bulk.errors(download_of(on))),
        {f"GET {ONE}", "POST /bulk/download", "GET /bulk/{job}/errors"},
    ),
    "BulkApi.result": (result_of, {f"GET {ONE}", "POST /bulk/download", "GET /bulk/{job}/{object}"}),
    "ElementsApi.get": (lambda on: on.client.elements.get("closeio"), {"GET /elements/{element}"}),
    "ElementsApi.list": (lambda on: list(on.client.elements.list()), {"GET /elements"}),
    "ElementsApi.keys": (lambda on: on.client.elements.keys(), {"GET /elements/keys"}),
    "ElementsApi.configuration": (
        lambda on: on.client.elements.configuration("closeio"),
        {"GET /elements/{element}/configuration"},
    ),
    "ElementsApi.metadata": (
        lambda on: on.client.elements.metadata("closeio"),
        {"GET /elements/{element}", "GET /elements/{element}/metadata"},
    ),
    "ElementsApi.oauth_url": (
        lambda on: [
            on.client.elements.oauth_url(
                "sfdc", api_key="k-1", api_secret="s-1", oauth_callback_url=CALLBACK, post=post
            )
            for post in (False, True)
        ],
        {"GET /elements/{element}/oauth/url", "POST /elements/{element}/oauth/url"},
    ),
    "EventsApi.pages": (
        lambda on: list(on.client.events.pages()),
        {"GET /instances/events"},
    ),
    "EventsApi.list": (
        lambda on: list(on.client.events.list(on.instance)),
        {f"GET {ONE}/events"},
    ),
    "EventsApi.get": (
        lambda on: [on.client.events.get(on.event), on.client.events.get(on.event, on.instance)],
        {"GET /instances/events/{event}", f"GET {ONE}/events/{{event}}"},
    ),
    "EventsApi.count_by_instance": (
        lambda on: on.client.events.count_by_instance(
            pendulum.now("UTC").subtract(hours=2), pendulum.now("UTC")
        ),
        {"GET /instances/events/analytics/instances"},
    ),
    "DeliveriesApi.queued_pages": (
        lambda on: list(on.client.deliveries.queued_pages()),
        {f"GET {DELIVERIES}"},
    ),
    "DeliveriesApi.queued": (lambda on: list(on.client.deliveries.queued(CALLBACK)), {f"GET {DELIVERIES}"}),
    "DeliveriesApi.waiting": (
        lambda on: on.client.deliveries.waiting(CALLBACK, None),
        {f"GET {DELIVERIES}"},
    ),
    "DeliveriesApi.pages": (lambda on: list(on.client.deliveries.pages(CALLBACK)), {f"GET {DELIVERIES}"}),
    "DeliveriesApi.of_notification": (
        lambda on: on.client.deliveries.of_notification(on.notification),
        {"GET /notifications/{notification}/subscriptions/deliveries"},
    ),
    "DeliveriesApi.subscriptions": (
        lambda on: on.client.deliveries.subscriptions(CALLBACK),
        {"GET /notifications/subscriptions"},
    ),
    "DeliveriesApi.release": (lambda on: on.client.deliveries.release(CALLBACK), {f"PUT {DELIVERIES}"}),
    "DeliveriesApi.policy": (lambda on: on.client.deliveries.policy(), {"GET /accounts/settings"}),
    "DeliveriesApi.set_policy": (
        lambda on: on.client.deliveries.set_policy("queue"),
        {"GET /accounts/settings", "PATCH /accounts/settings"},
    ),
    "FormulasApi.list": (lambda on: list(on.client.formulas.list()), {"GET /formulas"}),
    "FormulasApi.get": (lambda on: on.client.formulas.get(FORMULA), {"GET /formulas/{formula}"}),
    "FormulasApi.instances": (lambda on: list(on.client.formulas.instances()), {"GET /formulas/instances"}),
    "FormulasApi.instances_of": (
        lambda on: list(on.client.formulas.instances_of(FORMULA)),
        {f"GET {OF_FORMULA}"},
    ),
    "FormulasApi.create_instance": (formula_of, {f"POST {OF_FORMULA}"}),
    **{
        f"FormulasApi.{name}": (
            lambda on, name=name: getattr(on.client.formulas, name)(FORMULA, formula_of(on)),
            {f"POST {OF_FORMULA}", route},
        )
        for name, route in {
            "instance": f"GET {ONE_OF_FORMULA}",
            "activate_instance": f"PUT {ONE_OF_FORMULA}/active",
            "deactivate_instance": f"DELETE {ONE_OF_FORMULA}/active",
            "delete_instance": f"DELETE {ONE_OF_FORMULA}",
        }.items()
    },
    "FormulasApi.start": (execution_of, STARTED),
    "FormulasApi.executions": (
        lambda on: list(on.client.formulas.executions(formula_of(on))),
        {f"POST {OF_FORMULA}", f"GET {EXECUTIONS}"},
    ),
    **{
        f"FormulasApi.{name}": (
            lambda on, name=name, outcome=outcome: getattr(on.client.formulas, name)(
                execution_of(on, outcome)
            ),
            {*STARTED, *routes},
        )
        for name, outcome, routes in (
            ("execution", "success", {f"GET {EXECUTION}"}),
            ("steps", "success", {f"GET {EXECUTION}/steps"}),
            ("errors", "fail", {f"GET {EXECUTION}/errors"}),
            ("cancel", "stay", {f"PATCH {EXECUTION}", f"GET {EXECUTION}"}),
            ("retry", "fail", {f"PUT {EXECUTION}/retries"}),
            ("cancel_retries", "fail", {f"DELETE {EXECUTION}/retries"}),
        )
    },
}
#: What these return makes the calls, or ends them.
NO_CALLS = {
    "CloudElementsClient.instance",
    "CloudElementsClient.close",
    "InstanceClient.shown",
    "InstanceClient.redacted",
    "InstanceClient.platform_time",
}


@pytest.fixture
def ground(cloudelements_sandbox: Sandbox) -> Iterator[Ground]:
    with client_of(cloudelements_sandbox) as client:
        made = client.instances.create(
            element="closeio", name="One", configuration={**WAYS["basic"][1], **EVENTS}
        )
        (event,) = cloudelements_sandbox.emit(made.id)
        (notification,) = wait_for(lambda: client.events.get(event).notifications)
        yield Ground(cloudelements_sandbox, client, made.id, event, str(notification.id))


def methods() -> set[str]:
    """Return every public method that makes calls of the platform's API."""
    apis = {
        each
        for name, module in modules().items()
        for each in vars(module).values()
        if inspect.isclass(each) and each.__module__ == name and each.__name__.endswith("Api")
    }
    assert len(apis) >= 4
    return {
        f"{each.__name__}.{name}"
        for each in (*apis, CloudElementsClient, InstanceClient)
        for name, thing in vars(each).items()
        if inspect.isfunction(thing) and not name.startswith("_")
    }


def routes_of(ground: Ground, use: Use) -> dict[str, int]:
    """Return the routes that the sandbox serves meanwhile, and how often each."""

    def served() -> Counter[str]:
        return Counter(ground.sandbox.counters()["by_call"])

    before = served()
    use(ground)
    return dict(served() - before)


def test_every_method_of_the_client_is_in_the_table():
    assert methods() == set(METHODS)
    assert {name for name, (_, routes) in METHODS.items() if not routes} == NO_CALLS


@pytest.mark.parametrize("name", METHODS)
def test_the_sandbox_has_a_route_for(ground, name):
    use, routes = METHODS[name]
    assert set(routes_of(ground, use)) == routes
