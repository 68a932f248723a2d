"""The ``/formulas`` part of the API: formulas, their instances, and the executions of these."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pendulum

from airflow_provider_cloudelements.client.arguments import dictionary, text, texts
from airflow_provider_cloudelements.client.parsing import (
    optional_id,
    parse_bool,
    parse_date,
    parse_id,
    parse_object,
    parse_text,
    parse_word,
)
from airflow_provider_cloudelements.client.wire.errors import clean
from airflow_provider_cloudelements.client.wire.http import HttpSession
from airflow_provider_cloudelements.client.wire.listing import readable
from airflow_provider_cloudelements.exceptions import (
    CloudElementsServerError,
    CloudElementsValidationError,
)

__all__ = ["Formula", "FormulaExecution", "FormulaInstance", "FormulasApi", "StepError", "StepExecution"]

#: Words for the state of an execution that has ended (fact F405). ``pending``, ``queued``, ``retry``,
#: ``unknown``, and a word that no document names, do not show that it has (unknown U401).
SUCCESS, FAILED, CANCELLED = "success", "failed", "cancelled"
ENDED = frozenset({SUCCESS, FAILED, CANCELLED})

_FORMULAS = "/formulas"
_INSTANCES = f"{_FORMULAS}/instances"
_EXECUTIONS = f"{_INSTANCES}/executions"


@dataclass(frozen=True, slots=True)
class Formula:
    """A formula: steps that the platform runs (fact F411).

    :param id: Its id, which differs from account to account (fact F412).
    :param name: Its name. Nothing says that names are unique.
    :param active: Whether it is switched on.
    :param steps: Names of its steps.
    :param required_keys: Keys that the configuration of an instance must have.
    """

    id: int
    name: str
    active: bool = True
    steps: tuple[str, ...] = ()
    required_keys: tuple[str, ...] = ()

    @classmethod
    def parse(cls, body: Any) -> Formula:
        """Read a formula.

        :raises CloudElementsServerError: The body is no formula.
        """
        data = parse_object(body, "formula")
        keys = [each for each in _objects(data.get("configuration")) if parse_bool(each.get("required"))]
        return cls(
            id=parse_id(data.get("id"), "formula"),
            name=parse_text(data.get("name")) or "",
            active=parse_bool(data.get("active"), True),
            steps=_texts(_objects(data.get("steps")), "name"),
            required_keys=_texts(keys, "key"),
        )


@dataclass(frozen=True, slots=True)
class FormulaInstance:
    """An instance of a formula: the formula with a configuration, which is not kept here.

    :param id: Its id.
    :param name: Its name. Nothing says that names are unique.
    :param active: Whether it is switched on.
    :param formula_id: Id of its formula; ``None`` if the answer does not name it.
    :param created_date: When it was made, in UTC.
    """

    id: int
    name: str
    active: bool = True
    formula_id: int | None = None
    created_date: pendulum.DateTime | None = None

    @classmethod
    def parse(cls, body: Any, formula_id: int | None = None) -> FormulaInstance:
        """Read an instance of a formula.

        :param body: The API's JSON.
        :param formula_id: Its formula, if that is known.
        :raises CloudElementsServerError: The body is no instance.
        """
        data = parse_object(body, "formula instance")
        formula = data.get("formula")
        named = optional_id(formula.get("id")) if isinstance(formula, Mapping) else None
        return cls(
            id=parse_id(data.get("id"), "formula instance"),
            name=parse_text(data.get("name")) or "",
            active=parse_bool(data.get("active"), True),
            formula_id=formula_id if named is None else named,
            created_date=parse_date(data.get("createdDate")),
        )


@dataclass(frozen=True, slots=True)
class StepExecution:
    """One step of an execution (its form is unknown U402).

    :param step: Name of the step.
    :param status: How it went, in lower case; empty if the answer does not say.
    :param values: What it gave, by keys and as the platform writes them. Never in ``repr``.
    """

    step: str
    status: str = ""
    values: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def parse(cls, body: Any) -> StepExecution:
        """Read a step of an execution.

        :raises CloudElementsServerError: The body names no step.
        """
        data = parse_object(body, "step of an execution")
        step = parse_text(data.get("stepName"))
        if step is None:
            raise CloudElementsServerError("The platform's answer does not name the step of an execution.")
        values = {}
        for each in _objects(data.get("stepExecutionValues")):
            if (key := parse_text(each.get("key"))) is not None:
                values[key] = each.get("value")
        return cls(step, parse_word(data.get("status")), values)


@dataclass(frozen=True, slots=True)
class StepError:
    """The error of a step (its form is unknown U402).

    :param step: Name of the step; ``None`` if the answer does not name it.
    :param message: Its text, cut to 600 characters, without the connection's secrets.
    """

    step: str | None
    message: str


@dataclass(frozen=True, slots=True)
class FormulaExecution:
    """One execution of a formula instance (fact F404).

    :param id: Its id.
    :param formula_instance_id: Id of the formula instance; ``None`` if the answer does not name it.
    :param status: ``pending``, ``queued``, ``retry``, ``success``, ``failed``, ``cancelled``, ``unknown``, or
        an undocumented word; in lower case (fact F405).
    :param created_date: When it began, in UTC.
    :param updated_date: When it last changed, in UTC.
    """

    id: int
    formula_instance_id: int | None
    status: str
    created_date: pendulum.DateTime | None = None
    updated_date: pendulum.DateTime | None = None

    @classmethod
    def parse(cls, body: Any) -> FormulaExecution:
        """Read an execution.

        :raises CloudElementsServerError: The body is no execution.
        """
        data = parse_object(body, "execution")
        return cls(
            id=parse_id(data.get("id"), "execution"),
            formula_instance_id=optional_id(data.get("formulaInstanceId")),
            status=parse_word(data.get("status")),
            created_date=parse_date(data.get("createdDate")),
            updated_date=parse_date(data.get("updatedDate")),
        )

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> FormulaExecution:
        """Return the execution of which :meth:`as_json` gave this."""
        return cls(value["execution_id"], value["formula_instance_id"], value["status"])

    def as_json(self) -> dict[str, Any]:
        """Return ``execution_id``, ``formula_instance_id`` and ``status``, for an event or a return value."""
        return {
            "execution_id": self.id,
            "formula_instance_id": self.formula_instance_id,
            "status": self.status,
        }

    @property
    def ended(self) -> bool:
        """Whether its status shows that it has ended."""
        return self.status in ENDED


class FormulasApi:
    """Formulas of one account, their instances and executions.

    :param http: Sends the calls.
    """

    def __init__(self, http: HttpSession) -> None:
        self._http = http
        #: The clock by which the platform dates executions.
        self.clock = http.platform_clock

    def list(self) -> Iterator[Formula]:
        """Yield the account's formulas (fact F414)."""
        return readable(self._http.list_items(_FORMULAS), Formula.parse, "formulas")

    def get(self, formula_id: int | str) -> Formula:
        """Read one formula (fact F414).

        :param formula_id: Its id.
        :raises CloudElementsNotFoundError: There is no such formula.
        """
        return Formula.parse(self._http.send("GET", _formula(formula_id)).body)

    def instances(self, *, element_instance_id: int | str | None = None) -> Iterator[FormulaInstance]:
        """Yield the instances of all formulas (fact F403).

        :param element_instance_id: Only those that work with this element instance. Default: all.
        """
        given = element_instance_id
        params = {} if given is None else {"elementInstanceId": number_of("element_instance_id", given)}
        rows = self._http.list_items(_INSTANCES, params=params)
        return readable(rows, FormulaInstance.parse, "formula instances")

    def instances_of(self, formula_id: int | str) -> Iterator[FormulaInstance]:
        """Yield the instances of one formula (fact F414).

        :param formula_id: The formula's id.
        """
        number = number_of("formula_id", formula_id)
        rows = self._http.list_items(f"{_formula(number)}/instances")
        return readable(rows, lambda row: FormulaInstance.parse(row, number), "formula instances")

    def instance(self, formula_id: int | str, formula_instance_id: int | str) -> FormulaInstance:
        """Read one instance of a formula (fact F414).

        :param formula_id: The formula's id.
        :param formula_instance_id: The instance's id.
        :raises CloudElementsNotFoundError: The formula has no such instance.
        """
        path = _instance(formula_id, formula_instance_id)
        return FormulaInstance.parse(self._http.send("GET", path).body, number_of("formula_id", formula_id))

    def create_instance(
        self,
        formula_id: int | str,
        name: str,
        configuration: Mapping[str, Any] | None = None,
        *,
        active: bool = True,
        settings: Mapping[str, Any] | None = None,
    ) -> FormulaInstance:
        """Make an instance of a formula (fact F401). The client never sends it twice.

        :param formula_id: The formula's id.
        :param name: Name of the instance. The platform may give several the same name.
        :param configuration: For each of the formula's keys a value, or the id of an element instance.
        :param active: Whether it is switched on. Default: ``True``.
        :param settings: Further settings by the platform's names, such as
            ``{"formula.instance.time.to.live": 3600}`` (seconds). Default: none.
        :raises CloudElementsTransportError: No answer came. The instance may exist: look for its name in
            :meth:`instances_of` before you make it again.
        """
        number = number_of("formula_id", formula_id)
        if not isinstance(active, bool):
            raise CloudElementsValidationError("active must be True or False.")
        body = {
            "name": text("name", name),
            "active": active,
            "configuration": dictionary("configuration", configuration),
            "settings": dictionary("settings", settings),
        }
        reply = self._http.send("POST", f"{_formula(number)}/instances", body=body)
        return FormulaInstance.parse(reply.body, number)

    def activate_instance(self, formula_id: int | str, formula_instance_id: int | str) -> None:
        """Switch an instance on (fact F402).

        :param formula_id: The formula's id.
        :param formula_instance_id: The instance's id.
        """
        self._http.send("PUT", f"{_instance(formula_id, formula_instance_id)}/active")

    def deactivate_instance(self, formula_id: int | str, formula_instance_id: int | str) -> None:
        """Switch an instance off (fact F402).

        :param formula_id: The formula's id.
        :param formula_instance_id: The instance's id.
        """
        self._http.send("DELETE", f"{_instance(formula_id, formula_instance_id)}/active")

    def delete_instance(self, formula_id: int | str, formula_instance_id: int | str) -> None:
        """Delete an instance (fact F414).

        :param formula_id: The formula's id.
        :param formula_instance_id: The instance's id.
        :raises CloudElementsNotFoundError: There is no such instance, or no longer.
        """
        self._http.send("DELETE", _instance(formula_id, formula_instance_id))

    def start(
        self, formula_instance_id: int | str, payload: Mapping[str, Any] | None = None
    ) -> FormulaExecution:
        """Start an execution of an instance (fact F406). The client never sends it twice.

        :param formula_instance_id: The instance's id.
        :param payload: What the trigger gets. Default: an empty object.
        :raises CloudElementsServerError: The answer does not name exactly one execution.
        :raises CloudElementsTransportError: No answer came. The execution may have started, and no
            call shows whether (unknown U403).
        """
        path = _executions(formula_instance_id)
        body = self._http.send("POST", path, body=dictionary("payload", payload)).body
        rows = body if isinstance(body, list) else []
        if len(rows) != 1:
            raise CloudElementsServerError(
                f"POST {path}: the answer is not a list of one execution, so it does not show what started.",
                method="POST",
                path=path,
            )
        return FormulaExecution.parse(rows[0])

    def executions(
        self,
        formula_instance_id: int | str,
        *,
        event_id: str | None = None,
        object_id: str | None = None,
    ) -> Iterator[FormulaExecution]:
        """Yield the executions of an instance (fact F408). Their order is not known (unknown U402).

        Empty if there is no such instance.

        :param formula_instance_id: The instance's id.
        :param event_id: Only those of this event. Default: all.
        :param object_id: Only those of this object. Default: all.
        """
        given = {"eventId": event_id, "objectId": object_id}
        params = {name: text(name, value) for name, value in given.items() if value is not None}
        rows = self._http.list_items(_executions(formula_instance_id), params=params)
        return readable(rows, FormulaExecution.parse, "executions")

    def execution(self, execution_id: int | str) -> FormulaExecution:
        """Read one execution (fact F404).

        :param execution_id: Its id.
        :raises CloudElementsNotFoundError: There is no such execution, or no longer.
        """
        return FormulaExecution.parse(self._http.send("GET", _execution(execution_id)).body)

    def steps(self, execution_id: int | str) -> tuple[StepExecution, ...]:
        """Read the steps of an execution, with their values (fact F404).

        The platform leaves out large values, from 2 or 4 MB on (fact F415).

        :param execution_id: The execution's id.
        :return: The steps that ran; none if there is no such execution.
        """
        rows = self._http.list_items(f"{_execution(execution_id)}/steps", page_size=None)
        return tuple(readable(rows, StepExecution.parse, "steps"))

    def errors(self, execution_id: int | str, secrets: Iterable[str] = ()) -> tuple[StepError, ...]:
        """Read the errors of an execution (fact F404).

        :param execution_id: The execution's id.
        :param secrets: What must not show in them, besides the connection's secrets. Default: nothing.
        :return: The errors; none if there is no such execution.
        """
        rows = self._http.list_items(f"{_execution(execution_id)}/errors", page_size=None)
        hidden = [*self._http.settings.secrets, *texts("secrets", secrets)]
        return tuple(readable(rows, lambda row: _step_error(row, hidden), "errors"))

    def cancel(self, execution_id: int | str) -> FormulaExecution:
        """Cancel an execution (fact F409).

        :param execution_id: The execution's id.
        :return: The execution, which is cancelled.
        :raises CloudElementsValidationError: It has ended in another way.
        :raises CloudElementsNotFoundError: There is no such execution, or no longer.
        """
        refusal = None
        try:
            self._http.send("PATCH", _execution(execution_id), body={"status": CANCELLED}, repeatable=True)
        except CloudElementsValidationError as error:
            # The first of two calls may have cancelled it, if its answer was lost.
            refusal = error
        found = self.execution(execution_id)
        if refusal is not None and found.status != CANCELLED:
            raise refusal
        return found

    def retry(self, execution_id: int | str) -> None:
        """Run an execution again (fact F410). The client never sends it twice.

        :param execution_id: The execution's id.
        """
        self._http.send("PUT", f"{_execution(execution_id)}/retries", body={}, repeatable=False)

    def cancel_retries(self, execution_id: int | str) -> None:
        """Cancel the retries of an execution (fact F410).

        :param execution_id: The execution's id.
        """
        self._http.send("DELETE", f"{_execution(execution_id)}/retries")


def _step_error(body: Any, secrets: list[str]) -> StepError:
    data = parse_object({"error": body} if isinstance(body, str) else body, "error of a step")
    message = clean(data.get("error"), secrets)
    if message is None:
        raise CloudElementsServerError("The platform's answer holds no text of a step's error.")
    return StepError(parse_text(data.get("stepName")), message)


def number_of(name: str, value: Any) -> int:
    """Return the id that an argument stands for.

    :param name: The argument's name, for the error.
    :param value: An integer above 0, its digits, or a dictionary that holds it as ``id``.
    :raises CloudElementsValidationError: It is something else.
    """
    plain = value.get("id") if isinstance(value, Mapping) else value
    number = optional_id(plain.strip() if isinstance(plain, str) else plain)
    if number is None:
        raise CloudElementsValidationError(f"{name} must be an id: an integer above 0, or its digits.")
    return number


def _formula(formula_id: Any) -> str:
    return f"{_FORMULAS}/{number_of('formula_id', formula_id)}"


def _instance(formula_id: Any, formula_instance_id: Any) -> str:
    number = number_of("formula_instance_id", formula_instance_id)
    return f"{_formula(formula_id)}/instances/{number}"


def _executions(formula_instance_id: Any) -> str:
    return f"{_INSTANCES}/{number_of('formula_instance_id', formula_instance_id)}/executions"


def _execution(execution_id: Any) -> str:
    return f"{_EXECUTIONS}/{number_of('execution_id', execution_id)}"


def _objects(rows: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the JSON objects of a list."""
    return (each for each in (rows if isinstance(rows, list) else ()) if isinstance(each, Mapping))


def _texts(rows: Any, key: str) -> tuple[str, ...]:
    """Return the texts that objects have under a key."""
    found = (parse_text(each.get(key)) for each in rows)
    return tuple(each for each in found if each is not None)
