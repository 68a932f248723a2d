"""What ``repr`` shows: of an object that may hold a token or a configuration, neither."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
import re
from collections.abc import Iterator
from typing import Any

import pytest

import airflow_provider_cloudelements
from airflow_provider_cloudelements.client import CloudElementsClient
from tests.support.hidden import assert_hidden
from tests.support.platform import WAYS, client_of

#: Kinds of values in which anything may lie.
ANYTHING = re.compile(r"\b(Any|Mapping|dict|bytes|object)\b")
#: Numbers by name.
NUMBERS = re.compile(r"\b(dict|Mapping)\[(str|int), (int|float|list\[int( \| None)?\])\]( \| None)?")
#: Names of what may hold a token: texts that go over the wire, and addresses.
TELLING = re.compile(
    r"token|secret|password|signature|authorization|code$"
    r"|body|header|params|payload|configuration|callback|(?<!base_)(?<!console_)url$"
)


def dataclasses_of_the_package() -> Iterator[type]:
    for module in pkgutil.walk_packages(
        airflow_provider_cloudelements.__path__, f"{airflow_provider_cloudelements.__name__}."
    ):
        parts = module.name.split(".")
        # The retry policy is for Airflow 3.3 alone, and holds nothing.
        if "sandbox" in parts or parts[-1].startswith(("example", "__main__", "retry_policy")):
            continue
        for each in vars(importlib.import_module(module.name)).values():
            if dataclasses.is_dataclass(each) and isinstance(each, type) and each.__module__ == module.name:
                yield each


def may_tell(field: dataclasses.Field[Any]) -> bool:
    kind = NUMBERS.sub("int", str(field.type))
    if kind in ("bool", "int", "float", "bool | None", "int | None"):
        return False
    return bool(ANYTHING.search(kind) or TELLING.search(field.name))


#: Fields that hold nothing of a platform or a vendor, each with its reason.
HARMLESS = {
    ("EventQuery", "where"): "conditions on the paths of a payload, from the DAG",
    ("FormField", "default"): "the default of a connection's field, as the code says it",
    ("InstanceArguments", "element"): "a key of the catalogue",
    ("InstanceArguments", "instance_name"): "a name for people",
    ("InstanceArguments", "instance_key"): "a name for later runs",
    ("InstanceArguments", "tags"): "names for people",
    ("Page", "body"): "a static page, from the wheel",
    ("Page", "policy"): "what a browser may load for it",
    ("Removal", "left"): "ids by reason",
    ("Removal", "listed"): "instances, whose own repr shows no token",
}


def test_no_field_that_may_hold_a_token_or_a_configuration_is_in_a_repr() -> None:
    found = list(dataclasses_of_the_package())
    assert len(found) > 20
    telling = [
        f"{each.__module__}.{each.__name__}.{field.name}: {field.type}"
        for each in found
        for field in dataclasses.fields(each)
        if each.__dataclass_params__.repr  # type: ignore[attr-defined]
        and field.repr
        and may_tell(field)
        and (each.__name__, field.name) not in HARMLESS
    ]
    assert telling == []


@pytest.fixture
def client(cloudelements_sandbox: Any) -> Iterator[CloudElementsClient]:
    with client_of(cloudelements_sandbox) as client:
        yield client


def test_an_answer_and_what_is_made_of_it_show_no_token(client: CloudElementsClient) -> None:
    element, configuration = WAYS["basic"]
    callback = {"event.notification.callback.url": "https://x.example/in?token=Query/Token+0001="}
    made = client.instances.create(
        element=element, name="one", configuration={**configuration, **callback}, with_token=True
    )
    assert made.token
    reply = client.http.send("GET", f"/instances/{made.id}")
    assert reply.body["token"] == made.token
    through = client.instance(made.id, made.token)
    for each in (reply, made, through, client, client.http, client.instances, client.settings):
        assert_hidden(
            repr(each) + str(each),
            made.token,
            configuration["password"],
            "Query/Token+0001=",
            str(client.settings.user_secret),
            str(client.settings.organization_secret),
        )
