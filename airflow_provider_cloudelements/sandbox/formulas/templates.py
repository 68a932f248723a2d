"""The formulas that the sandbox knows, and what their steps do.

There is no JavaScript here: each step is a function of ours (choice C401).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from airflow_provider_cloudelements.sandbox.account.store import ACCOUNT, USER
from airflow_provider_cloudelements.sandbox.core.dates import iso
from airflow_provider_cloudelements.sandbox.instances.store import Instance
from airflow_provider_cloudelements.sandbox.vendors.records import Table

#: The key under which a formula instance names the element instance that it works with.
INSTANCE_KEY = "crm"


class StepError(Exception):
    """A step failed; its text is the error."""


@dataclass(slots=True)
class Context:
    """What a step sees.

    :param payload: what the trigger was given.
    :param instance: the element instance, or None.
    :param contacts: that instance's contacts, or None if it has no such resource.
    :param values: what the steps before it gave, by their names.
    """

    payload: dict[str, Any]
    instance: Instance | None
    contacts: Table | None
    values: dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a formula.

    :param name: its name.
    :param type: its kind, elementRequest or script.
    :param run: does what the step does, and returns its values.
    """

    name: str
    type: str
    run: Callable[[Context], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Template:
    """One formula.

    :param id: its number, the sandbox's own.
    :param name: its name.
    :param steps: its steps, which run one after the other.
    :param needs_instance: whether its instances must name an element instance.
    """

    id: int
    name: str
    steps: tuple[Step, ...]
    needs_instance: bool = True

    @property
    def required(self) -> tuple[str, ...]:
        """The keys that the configuration of an instance must have."""
        return (INSTANCE_KEY,) if self.needs_instance else ()

    def view(self) -> dict[str, Any]:
        """Return the formula as the API shows it (fact F411)."""
        last = len(self.steps) - 1
        return {
            "id": self.id,
            "name": self.name,
            "userId": USER["id"],
            "accountId": ACCOUNT["id"],
            "createdDate": iso(1_735_689_600),
            "steps": [
                {
                    "id": self.id * 10 + number,
                    "name": step.name,
                    "type": step.type,
                    "onSuccess": [] if number == last else [self.steps[number + 1].name],
                    "onFailure": [],
                    "properties": {},
                }
                for number, step in enumerate(self.steps)
            ],
            "triggers": [
                {
                    "id": self.id * 10 + 9,
                    "name": "trigger",
                    "type": "manual",
                    "async": True,
                    "onSuccess": [self.steps[0].name],
                    "properties": {},
                }
            ],
            "engine": "v3",
            "active": True,
            "debugLoggingEnabled": False,
            "singleThreaded": False,
            "configuration": [
                {"id": self.id * 10 + 8, "key": key, "name": key, "type": "elementInstance", "required": True}
                for key in self.required
            ],
        }


def _contacts(context: Context) -> Table:
    if context.contacts is None:
        raise StepError("The element instance has no contacts")
    return context.contacts


def _list_contacts(context: Context) -> dict[str, Any]:
    table = _contacts(context)
    first = next((record for _, record in table.matching(None)), None)
    return {"response.code": 200, "total": len(table), "first": first}


def _count(context: Context) -> dict[str, Any]:
    return {"count": context.values["list-contacts"]["total"]}


def _read_payload(context: Context) -> dict[str, Any]:
    if not context.payload:
        raise StepError("The trigger has no payload")
    return {"contact": context.payload}


def _create_contact(context: Context) -> dict[str, Any]:
    record = _contacts(context).add(context.values["read-payload"]["contact"])
    return {"response.code": 200, "id": record["id"]}


def _echo(context: Context) -> dict[str, Any]:
    return {"payload": context.payload}


def _fail(_context: Context) -> dict[str, Any]:
    raise StepError("TypeError: Cannot read property 'id' of undefined")


TEMPLATES: dict[int, Template] = {
    each.id: each
    for each in (
        Template(
            8101,
            "Count contacts",
            (Step("list-contacts", "elementRequest", _list_contacts), Step("count", "script", _count)),
        ),
        Template(
            8102,
            "Create a contact",
            (
                Step("read-payload", "script", _read_payload),
                Step("create-contact", "elementRequest", _create_contact),
            ),
        ),
        Template(
            8103,
            "Fail in the second step",
            (Step("echo", "script", _echo), Step("fail", "script", _fail)),
            needs_instance=False,
        ),
        Template(8104, "Echo", (Step("echo", "script", _echo),), needs_instance=False),
    )
}
