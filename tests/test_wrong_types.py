"""Values of another type: only a CloudElementsError leaves what people call in Python."""

from __future__ import annotations

import datetime
import decimal
import enum
import io
import os
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import pendulum
import pytest

from airflow_provider_cloudelements import fleet, provisioning
from airflow_provider_cloudelements.client import CloudElementsClient
from airflow_provider_cloudelements.client.models import Instance
from airflow_provider_cloudelements.events.cursor import EventCursor
from airflow_provider_cloudelements.events.reconcile import reconcile
from airflow_provider_cloudelements.events.scan import EventReader
from airflow_provider_cloudelements.exceptions import CloudElementsValidationError
from airflow_provider_cloudelements.operators.formulas import CloudElementsRunFormulaOperator
from airflow_provider_cloudelements.operators.instances import CloudElementsCreateInstanceOperator
from airflow_provider_cloudelements.sensors.instances import CloudElementsInstanceSensor
from tests.support.wire import TOKEN, Wire, account, answer


class Word(enum.Enum):
    A = "a"


#: What Python, a template or an upstream task may give, none of it what the arguments below take.
ODD: dict[str, Any] = {
    "True": True,
    "a number": -7,
    "nan": float("nan"),
    "infinity": float("inf"),
    "a huge number": 10**400,
    "bytes": b"x",
    "a list in a list": [[]],
    "a list of None": [None],
    "keys that are numbers": {1: 2},
    "a set": {1},
    "an object": object(),
    "a date without a zone": datetime.datetime(2026, 1, 1),  # noqa: DTZ001
    "a duration": datetime.timedelta(days=1),
    "a member": Word.A,
    "a decimal": decimal.Decimal("NaN"),
}
SPEC: dict[str, Any] = {"element": "closeio", "name": "A", "key": "a", "configuration": {"password": "p"}}
INSTANCE = Instance(1, "A", "closeio", configuration={})
EARLIEST = EventCursor.start("earliest")


def _ensure(client: CloudElementsClient, **changes: Any) -> Any:
    spec = provisioning.InstanceSpec(**{**SPEC, **changes})
    return provisioning.ensure(client.instances, spec, settle_time=0)


def _upload(client: CloudElementsClient, **changes: Any) -> Any:
    given = {"file": io.BytesIO(b"a\n1\n"), "file_name": "a.csv", "file_format": "csv", **changes}
    return client.instance(1, TOKEN).bulk.start_upload("contacts", **given)


def _change(client: CloudElementsClient, **changes: Any) -> Any:
    return provisioning.update(client.instances, INSTANCE, provisioning.Change(**changes))


def _login(client: CloudElementsClient, **changes: Any) -> Any:
    given = {"configuration": {"password": "p"}, **changes}
    return provisioning.reauthenticate(client.instances, INSTANCE, **given)


def _counts(client: CloudElementsClient, **changes: Any) -> Any:
    return client.events.count_by_instance(**{"begin": pendulum.now(), "end": pendulum.now(), **changes})


def _read(client: CloudElementsClient, **changes: Any) -> Any:
    return list(EventReader(client.events, changes.pop("cursor", EARLIEST), **changes))


def _compare(client: CloudElementsClient, **changes: Any) -> Any:
    return reconcile(client, "https://x", **{"since": EARLIEST, **changes})


def _download(client: CloudElementsClient, **changes: Any) -> Any:
    return client.instance(1, TOKEN).bulk.start_download("contacts", **{"file_format": "csv", **changes})


def _time(client: CloudElementsClient, **given: Any) -> Any:
    return client.instance(1, TOKEN).platform_time(**given)


#: Calls, each with the arguments that take nothing of the above.
CALLS: list[tuple[Callable[..., Any], str]] = [
    *[(_ensure, name) for name in ("name", "namespace", "configuration", "provider_data", "tags")],
    *[(_change, name) for name in ("name", "configuration", "tags", "add_tags", "remove_tags")],
    *[(_login, name) for name in ("configuration", "provider_data")],
    *[(_upload, name) for name in ("file", "file_name", "file_format")],
    (_download, "file_format"),
    *[(_counts, name) for name in ("begin", "end")],
    *[(_read, name) for name in ("settle_time", "max_pages", "until", "cursor")],
    *[(_compare, name) for name in ("since", "until", "max_pages", "max_calls")],
    (lambda client, **given: client.formulas.errors(1, **given), "secrets"),
    (lambda client, **given: client.instance(1, TOKEN).redacted(**given), "text"),
    (_time, "moment"),
    (lambda client, **given: client.instance(1, **given), "token"),
    (lambda client, **given: provisioning.ensure(client.instances, _spec(), **given), "if_exists"),
    (lambda client, **given: fleet.read_manifest_text(**given), "text"),
    (lambda client, **given: fleet.read_manifest_text("instances: []", **given), "name"),
    (lambda client, **given: client.deliveries.set_policy(**given), "policy"),
    (lambda client, **given: list(client.instance(1, TOKEN).records("x", **given)), "paging"),
]


def _spec() -> provisioning.InstanceSpec:
    return provisioning.InstanceSpec(**SPEC)


@pytest.fixture(scope="module")
def client() -> Iterator[CloudElementsClient]:
    """Give a client of a server that has an empty list for every question."""
    with Wire(lambda call: answer([], then="keep")) as wire, account(wire.url).client as made:
        yield made


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize(
    ("call", "argument"), CALLS, ids=[f"{number}-{name}" for number, (_, name) in enumerate(CALLS)]
)
def test_a_value_of_another_type_is_refused_by_name(
    call: Callable[..., Any], argument: str, odd: str, client: CloudElementsClient
) -> None:
    with pytest.raises(CloudElementsValidationError, match=argument) as caught:
        call(client, **{argument: ODD[odd]})
    assert not caught.value.retryable


@pytest.mark.parametrize("kind", ["text", "closed", "pipe"])
def test_a_file_that_cannot_be_sent_is_refused(kind: str, client: CloudElementsClient) -> None:
    reading, writing = os.pipe()
    os.close(writing)
    with tempfile.TemporaryFile() as closed, os.fdopen(reading, "rb") as pipe:
        closed.close()
        files: dict[str, Any] = {"text": io.StringIO("a\n1\n"), "closed": closed, "pipe": pipe}
        with pytest.raises(CloudElementsValidationError, match="file must be open for reading bytes"):
            _upload(client, file=files[kind])


@pytest.mark.parametrize("value", ["None", " None "])
@pytest.mark.parametrize(
    "call",
    [
        lambda instance, value: instance.delete("contacts", value),
        lambda instance, value: instance.update("contacts", value, {"a": 1}),
        lambda instance, value: instance.request("DELETE", ["contacts", value]),
        lambda instance, value: instance.bulk.start_download(value, file_format="csv"),
        lambda instance, value: instance.bulk.start_upload(
            value, io.BytesIO(b"a"), file_name="a", file_format="csv"
        ),
    ],
    ids=["delete", "update", "request", "download", "upload"],
)
def test_none_as_jinja_writes_it_names_no_record_and_no_object(
    call: Callable[..., Any], value: str, client: CloudElementsClient
) -> None:
    """A deletion of it would find nothing, and seem to be done."""
    with pytest.raises(CloudElementsValidationError, match="'None', which Jinja writes for a missing value"):
        call(client.instance(1, TOKEN), value)


@pytest.mark.parametrize("value", [1e10, 1e308, 10**400], ids=["1e10", "1e308", "10**400"])
def test_no_wait_is_longer_than_python_can_sleep(value: float) -> None:
    """``time.sleep`` raises OverflowError from 300 years on: that is, once the job is under way."""
    for given in ({"poke_interval": value}, {"timeout": value}):
        with pytest.raises(ValueError, match=f"{next(iter(given))} must be a number of seconds"):
            CloudElementsRunFormulaOperator(task_id="run", formula_instance_id=1, **given)
        with pytest.raises(ValueError, match=f"{next(iter(given))} must be a number of seconds"):
            CloudElementsInstanceSensor(task_id="wait", instance_id=1, **given)
    with pytest.raises(ValueError, match="settle_time must be a number of seconds"):
        CloudElementsCreateInstanceOperator(task_id="make", instance_name="x", settle_time=value)


@pytest.mark.parametrize("value", [float("inf"), float("nan"), True, -1], ids=["inf", "nan", "True", "-1"])
def test_a_sensor_names_its_own_time_that_is_none(value: float) -> None:
    for name in ("timeout", "poke_interval", "max_wait"):
        with pytest.raises(ValueError, match=name):
            CloudElementsInstanceSensor(task_id="wait", instance_id=1, **{name: value})
