"""Switching events on and off: checked with the element, tried at the callback, written once, read back."""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
from datetime import timedelta

import pytest

from airflow_provider_cloudelements.client.tags import own_tags
from airflow_provider_cloudelements.compat import AirflowFailException
from airflow_provider_cloudelements.events.signature import SIGNATURE_HEADER, verify
from airflow_provider_cloudelements.exceptions import (
    CloudElementsConflictError,
    CloudElementsServerError,
    CloudElementsSignatureError,
    CloudElementsTransportError,
    CloudElementsValidationError,
)
from airflow_provider_cloudelements.operators._parts import base as base_module
from airflow_provider_cloudelements.operators.events import (
    CloudElementsDisableEventsOperator,
    CloudElementsEnableEventsOperator,
)
from airflow_provider_cloudelements.operators.instances import CloudElementsCreateInstanceOperator
from tests.support.context import FakeTi, context_of
from tests.support.platform import CALLBACK, WAYS, Wire
from tests.support.relay import relaying

ENABLED = "event.notification.enabled"
URL = "event.notification.callback.url"
SIGNATURE = "event.notification.signature.key"


def operator(**arguments):
    return CloudElementsEnableEventsOperator(task_id="on", **arguments)


def enable(**arguments):
    return operator(**arguments).execute(context_of())


def disable(**arguments):
    return CloudElementsDisableEventsOperator(task_id="off", **arguments).execute(context_of())


@pytest.fixture
def quiet(sandbox):
    """Return what the create operator returned for an instance without events."""
    return CloudElementsCreateInstanceOperator(
        task_id="create",
        element="sfdc",
        instance_name="An instance",
        configuration=WAYS["code"][1],
        authorization_code=sandbox.code("sfdc"),
        events_enabled=False,
    ).execute(context_of())


@pytest.fixture
def sent(sandbox, monkeypatch):
    """Give a function that enables events through a relay and returns the bodies of its PATCHes."""

    def send(**arguments):
        with relaying(sandbox) as relay:
            connection = {**sandbox.connection(), "host": relay.url}
            monkeypatch.setenv("AIRFLOW_CONN_CLOUDELEMENTS_DEFAULT", json.dumps(connection))
            enable(**arguments)
            return relay.bodies("PATCH")

    return send


class Receiver:
    """A webhook receiver that checks the signature, or gives the answer that a test sets."""

    def __init__(self, key, status):
        self.key, self.status = key, status
        self.seen = []
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.seen.append(json.loads(body))
                status = receiver.status
                if receiver.key is not None:
                    try:
                        verify(body, self.headers.get(SIGNATURE_HEADER), receiver.key)
                    except CloudElementsSignatureError:
                        status = 401
                self.send_response(status)
                self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hooks?token=url-token"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()


@pytest.fixture
def receiver():
    """Give a function that starts a receiver."""
    with contextlib.ExitStack() as stack:

        def start(key=None, status=200):
            started = Receiver(key, status)
            stack.callback(started.server.server_close)
            stack.callback(started.server.shutdown)
            return started

        yield start


# -- switching on ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "named",
    [
        lambda made: {"instance_id": made["id"]},
        lambda made: {"instance_id": str(made["id"])},
        lambda made: {"instance_id": made},
        lambda made: {"instance_key": "sfdc/An instance"},
    ],
    ids=["integer", "digits", "what create returned", "key"],
)
def test_events_are_on_and_delivered_and_the_second_time_nothing_is_written(named, sandbox, person, quiet):
    arguments = {**named(quiet), "event_callback_url": CALLBACK}
    first = enable(**arguments)
    assert (first["id"], first["events_enabled"], first["changed"]) == (quiet["id"], True, [ENABLED, URL])
    shown = person.show(quiet["id"])
    assert (shown["eventsEnabled"], shown["configuration"][URL]) == (True, CALLBACK)
    wire = Wire(sandbox)
    assert enable(**arguments) == {**first, "changed": []}
    assert wire.writes() == []


def test_every_argument_goes_out_in_one_patch_and_again_in_none(sent, quiet):
    poller = {
        "leads": {"url": "/hubs/crm/leads", "idField": "id", "datesConfiguration": {"updatedDateField": "u"}}
    }
    arguments = {
        "instance_id": quiet,
        "event_callback_url": CALLBACK,
        "event_signature_key": "signature-1",
        "vendor_type": "polling",
        "poller_interval": timedelta(minutes=5),
        "poller_configuration": poller,
        "poller_urls": ["leads", "contacts"],
        "event_objects": ["Lead", "Contact"],
    }
    (body,) = sent(**arguments)
    assert body.pop("configuration") == {
        ENABLED: True,
        URL: CALLBACK,
        SIGNATURE: "signature-1",
        "event.vendor.type": "polling",
        "event.poller.refresh_interval": 5,
        "event.poller.configuration": poller,
        "event.poller.urls": "leads|contacts",
        "event.objects": "Lead,Contact",
    }
    assert len(own_tags(body.pop("tags"))) == 3  # marker, key tag and the signature key's fingerprint
    assert body == {}
    assert sent(**arguments) == []
    (body,) = sent(**{**arguments, "poller_interval": 6})
    assert body == {"configuration": {"event.poller.refresh_interval": 6}}


def test_callback_and_key_of_the_element_connection_count_where_none_are_given(
    sent, quiet, element_connection
):
    extra = {"element": "sfdc", "event_callback_url": CALLBACK, "event_signature_secret": "connections-key"}
    conn_id = element_connection(login="client-9", password="app-secret-9", extra=extra)
    (body,) = sent(instance_id=quiet, element_conn_id=conn_id)
    # Nothing else of the connection goes along.
    assert body["configuration"] == {ENABLED: True, URL: CALLBACK, SIGNATURE: "connections-key"}
    other = "https://other.example.com/"
    (body,) = sent(
        instance_id=quiet, element_conn_id=conn_id, event_callback_url=other, event_signature_key="arguments"
    )
    assert body["configuration"] == {URL: other, SIGNATURE: "arguments"}


def test_an_element_connection_for_another_element_is_refused(sandbox, quiet, element_connection):
    conn_id = element_connection(extra={"element": "closeio", "event_callback_url": CALLBACK})
    wire = Wire(sandbox)
    with pytest.raises(AirflowFailException, match="is for element 'closeio'") as caught:
        enable(instance_id=quiet, element_conn_id=conn_id)
    assert isinstance(caught.value.__cause__, CloudElementsConflictError)
    assert wire.writes() == []


def test_the_callback_that_the_instance_has_is_enough(sandbox, person, quiet):
    person.edit(quiet["id"], configuration={URL: CALLBACK})
    assert enable(instance_id=quiet)["changed"] == [ENABLED]


def test_without_any_callback_it_asks_for_one_and_none_says_that_none_is_needed(sandbox, quiet, task_log):
    wire = Wire(sandbox)
    for empty in ({}, {"event_callback_url": ""}):
        with pytest.raises(AirflowFailException, match="There is no event_callback_url"):
            enable(instance_id=quiet, **empty)
    assert wire.writes() == []
    assert enable(instance_id=quiet, event_callback_url=None)["changed"] == [ENABLED]
    assert "keeps the event callback" not in task_log.text
    enable(instance_id=quiet, event_callback_url=CALLBACK)
    assert enable(instance_id=quiet, event_callback_url=None)["changed"] == []
    assert "keeps the event callback URL that it has" in task_log.text


# -- what the element can do ----------------------------------------------------------------------


@pytest.fixture
def metadata(monkeypatch):
    """Give a function that says what the platform tells of an element's events."""
    from airflow_provider_cloudelements.client import ElementMetadata
    from airflow_provider_cloudelements.client.elements import ElementsApi

    def tell(**events):
        body = {"id": 1, "key": "sfdc", "events": events}
        monkeypatch.setattr(ElementsApi, "metadata", lambda *_: ElementMetadata.parse(body))

    return tell


def test_an_element_without_events_is_refused_before_anything_is_written(sandbox, quiet, metadata):
    metadata(supported=False, methods=[])
    wire = Wire(sandbox)
    with pytest.raises(AirflowFailException, match="has no events") as caught:
        enable(instance_id=quiet, event_callback_url=CALLBACK)
    assert isinstance(caught.value.__cause__, CloudElementsValidationError)
    assert wire.writes() == []


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"poller_interval": 5}, "poller_interval"),
        ({"vendor_type": "polling"}, "vendor_type"),
        ({"poller_urls": ["leads"]}, "poller_urls"),
        ({"poller_configuration": {"leads": {"idField": "id"}}}, "poller_configuration"),
    ],
)
def test_polling_is_refused_where_the_element_has_webhooks_alone(arguments, named, sandbox, person):
    instance_id = person.make("code")  # the metadata of microsoftgraph name webhook alone
    wire = Wire(sandbox)
    with pytest.raises(AirflowFailException, match=f"by webhook alone.* which {named} asked for"):
        enable(instance_id=instance_id, event_callback_url=CALLBACK, **arguments)
    assert wire.writes() == []
    webhooks = enable(instance_id=instance_id, event_callback_url=CALLBACK, vendor_type="webhooks")
    assert webhooks["changed"] == [ENABLED, URL, "event.vendor.type"]


def test_an_element_whose_metadata_nobody_has_is_taken_at_its_word(sandbox, quiet, task_log):
    sandbox.add_fault("status", status=404, path="/elements/*/metadata")
    assert enable(instance_id=quiet, event_callback_url=CALLBACK)["events_enabled"]
    assert "no metadata of element 'sfdc'" in task_log.text


# -- trying the callback --------------------------------------------------------------------------


def test_the_callback_is_tried_with_the_signature_that_deliveries_will_have(sandbox, quiet, receiver):
    hook = receiver(key="signature-1")
    returned = enable(
        instance_id=quiet,
        event_callback_url=hook.url,
        event_signature_key="signature-1",
        verify_callback=True,
    )
    assert returned["changed"] == [ENABLED, URL, SIGNATURE, "tags"]
    (notification,) = hook.seen
    assert notification["message"]["instanceId"] == quiet["id"]


@pytest.mark.parametrize(
    ("status", "key", "kind"),
    [
        (200, "another-key", AirflowFailException),
        (401, None, AirflowFailException),
        (404, None, AirflowFailException),
        (302, None, AirflowFailException),
        (500, None, CloudElementsServerError),
    ],
)
def test_nothing_is_written_unless_the_receiver_takes_it(
    status, key, kind, sandbox, quiet, receiver, task_log
):
    hook, wire = receiver(key=key, status=status), Wire(sandbox)
    with pytest.raises(kind) as caught:
        enable(
            instance_id=quiet,
            event_callback_url=hook.url,
            event_signature_key="signature-1",
            verify_callback=True,
        )
    assert len(hook.seen) == 1
    assert wire.writes() == []
    for secret in ("signature-1", "url-token"):
        assert secret not in str(caught.value) + task_log.text


def test_a_receiver_that_is_not_there_is_left_to_the_retries(sandbox, quiet, receiver):
    hook = receiver()
    hook.server.shutdown()
    hook.server.server_close()
    with pytest.raises(CloudElementsTransportError):
        enable(instance_id=quiet, event_callback_url=hook.url, verify_callback=True)
    assert sandbox.instances()[0]["eventsEnabled"] is False


def test_a_key_that_nobody_can_read_cannot_be_tried(sandbox, quiet, receiver, element_connection):
    hook = receiver(key="signature-1")
    enable(instance_id=quiet, event_callback_url=hook.url, event_signature_key="signature-1")
    sandbox.configure(masked_keys=[SIGNATURE])
    with pytest.raises(AirflowFailException, match="signature key that cannot be read"):
        enable(instance_id=quiet, verify_callback=True)
    assert hook.seen == []
    conn_id = element_connection(extra={"event_signature_secret": "signature-1"})
    assert enable(instance_id=quiet, element_conn_id=conn_id, verify_callback=True)["changed"] == []
    assert len(hook.seen) == 1


def test_the_callback_that_the_instance_has_is_tried_and_without_one_it_says_so(
    sandbox, person, quiet, receiver
):
    hook = receiver()
    with pytest.raises(AirflowFailException, match="no callback URL to try"):
        enable(instance_id=quiet, event_callback_url=None, verify_callback=True)
    person.edit(quiet["id"], configuration={URL: hook.url})
    enable(instance_id=quiet, verify_callback=True)
    assert len(hook.seen) == 1


def test_without_verify_callback_the_receiver_hears_nothing(sandbox, quiet, receiver):
    hook = receiver()
    enable(instance_id=quiet, event_callback_url=hook.url)
    assert hook.seen == []


# -- malformed arguments --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        ({"verify_callback": "true"}, TypeError),
        ({"vendor_type": "push"}, CloudElementsValidationError),
        ({"vendor_type": "{{ type }}"}, CloudElementsValidationError),
        ({"poller_interval": 0}, CloudElementsValidationError),
        ({"poller_interval": "15"}, CloudElementsValidationError),
        ({"poller_interval": timedelta(seconds=90)}, CloudElementsValidationError),
    ],
)
def test_switches_are_checked_when_the_dag_is_parsed(arguments, kind):
    with pytest.raises(kind, match=next(iter(arguments))):
        operator(instance_id=1, **arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"event_callback_url": "hooks.example.com"}, "callback_url must be an absolute address"),
        ({"event_signature_key": ["key-1"]}, "signature_key must be a string"),
        ({"event_signature_key": " key-1 "}, "signature_key has white space"),
        ({"poller_urls": "leads"}, "poller_urls must be a list"),
        ({"event_objects": ["a,b"]}, "objects"),
        ({"poller_configuration": {"leads": {"idfield": "x"}}}, "idField"),
    ],
)
def test_malformed_arguments_fail_for_good_and_write_nothing(arguments, message, sandbox, quiet):
    wire = Wire(sandbox)
    with pytest.raises(AirflowFailException, match=message) as caught:
        enable(**{"instance_id": quiet, "event_callback_url": CALLBACK, **arguments})
    assert "key-1" not in str(caught.value)
    assert wire.writes() == []


@pytest.mark.parametrize("act", [enable, disable])
@pytest.mark.parametrize("named", [{}, {"instance_id": 1, "instance_key": "k"}])
def test_named_in_no_way_or_in_two_it_fails_for_good(named, act, sandbox):
    with pytest.raises(AirflowFailException, match="Exactly one of instance_id and instance_key"):
        act(**named)
    assert sandbox.requests() == []


# -- secrets --------------------------------------------------------------------------------------


def test_rendered_fields_show_no_key_and_execute_gets_it(sandbox, person, quiet):
    switch_on = operator(
        instance_id="{{ made.id }}", event_callback_url="{{ url }}", event_signature_key="{{ key }}"
    )
    switch_on.render_template_fields({"made": quiet, "url": CALLBACK, "key": "hidden-key"})
    fields = {name: getattr(switch_on, name) for name in switch_on.template_fields}
    assert (fields["event_signature_key"], fields["event_callback_url"]) == ("***", CALLBACK)
    assert "hidden-key" not in json.dumps(fields)
    switch_on.execute(context_of())
    assert person.show(quiet["id"])["configuration"][SIGNATURE] == "hidden-key"


def test_the_key_is_masked_and_stands_in_no_log_and_no_xcom(sandbox, quiet, monkeypatch, task_log):
    masked, ti = [], FakeTi()
    monkeypatch.setattr(base_module, "mask_secret", masked.append)
    arguments = {"instance_id": quiet, "event_callback_url": CALLBACK, "event_signature_key": "hidden-key"}
    returned = operator(**arguments).execute(context_of(ti))
    assert masked == ["hidden-key"]
    assert "hidden-key" not in task_log.text + json.dumps(returned)
    assert ti.xcoms == {}


# -- switching off --------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [lambda made: made["id"], lambda made: str(made["id"]), lambda made: made])
def test_events_are_off_and_all_else_about_them_stays(form, sandbox, person, quiet):
    enable(
        instance_id=quiet, event_callback_url=CALLBACK, event_signature_key="signature-1", poller_interval=5
    )
    before = person.show(quiet["id"])
    returned = disable(instance_id=form(quiet))
    assert (returned["events_enabled"], returned["changed"]) == (False, [ENABLED])
    after = person.show(quiet["id"])
    assert after["configuration"] == {**before["configuration"], ENABLED: "false"}
    assert after["tags"] == before["tags"]
    wire = Wire(sandbox)
    assert disable(instance_key="sfdc/An instance")["changed"] == []
    assert wire.writes() == []
    # Switching on again needs none of them.
    assert enable(instance_id=quiet)["changed"] == [ENABLED]


@pytest.mark.parametrize(
    "act",
    [
        lambda made: enable(instance_id=made, event_callback_url=CALLBACK),
        lambda made: disable(instance_id=made),
    ],
)
def test_a_lost_answer_is_no_failure(act, sandbox, quiet):
    sandbox.add_fault("drop", when="after", method="PATCH")
    act(quiet)
    assert sandbox.faults() == [] or all(rule["applied"] <= 1 for rule in sandbox.faults())


def test_an_answer_without_effect_is_told(sandbox, quiet, monkeypatch):
    from airflow_provider_cloudelements.client.instances import InstancesApi

    monkeypatch.setattr(InstancesApi, "update", lambda *_, **__: None)
    with pytest.raises(CloudElementsServerError, match=f"accepted {ENABLED}, {URL}, but reading back"):
        enable(instance_id=quiet, event_callback_url=CALLBACK)
