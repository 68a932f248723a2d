"""Instances of formulas, their executions, and what a test wants to become of the next ones."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_cloudelements.sandbox.core.agenda import Agenda
from airflow_provider_cloudelements.sandbox.core.plans import Plan, Plans
from airflow_provider_cloudelements.sandbox.formulas.templates import (
    INSTANCE_KEY,
    Context,
    StepError,
    Template,
)
from airflow_provider_cloudelements.sandbox.instances.store import Store
from airflow_provider_cloudelements.sandbox.settings import Behaviour

#: The words for the state of an execution (fact F405); queued and unknown never come here.
PENDING, SUCCESS, FAILED, CANCELLED, RETRY = "pending", "success", "failed", "cancelled", "retry"
#: What may become of an execution: its steps run, one of them fails, or none ever begins.
OUTCOMES = ("success", "fail", "stay")
#: The sandbox keeps so many executions and forgets the oldest.
_MOST_EXECUTIONS = 10_000
_FIRST_ID = 520_001


@dataclass(slots=True, kw_only=True)
class ExecutionPlan(Plan):
    """What becomes of the next executions. A retry counts as one.

    :param outcome: one of :data:`OUTCOMES`.
    :param step: the step that fails; None for the first.
    :param message: the error of the step that fails.
    """

    outcome: str = "success"
    step: str | None = None
    message: str = "The step failed"


@dataclass(slots=True, eq=False)
class FormulaInstance:
    """One instance of a formula.

    :param id: a number; the process never uses it twice.
    :param template: its formula.
    :param name: its name.
    :param configuration: values by key; that of :data:`INSTANCE_KEY` is an element instance's id.
    :param settings: kept as they come.
    :param active: whether it can be triggered.
    :param created: seconds since 1970.
    """

    id: int
    template: Template
    name: str
    configuration: dict[str, Any] = field(default_factory=dict, repr=False)
    settings: dict[str, Any] = field(default_factory=dict, repr=False)
    active: bool = True
    created: float = 0.0

    @property
    def element_instance(self) -> int | None:
        """The id of the element instance that it works with, or None."""
        text = str(self.configuration.get(INSTANCE_KEY, ""))
        return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None


@dataclass(slots=True)
class StepRun:
    """How a step ended.

    :param name: the step's name.
    :param status: success or failed.
    :param values: what it gave, or its error.
    :param ended: seconds since 1970.
    """

    name: str
    status: str
    values: dict[str, Any] = field(repr=False)
    ended: float


@dataclass(slots=True, eq=False)
class Execution:
    """One execution of a formula instance.

    :param id: a number; the process never uses it twice.
    :param instance: the formula instance.
    :param payload: what the trigger was given.
    :param status: one of the words above.
    :param created: seconds since 1970.
    :param updated: the same of its last change.
    :param steps: the steps that ran.
    :param due: when it ends, on the monotonic clock, or None.
    """

    id: int
    instance: FormulaInstance
    payload: dict[str, Any] = field(repr=False)
    status: str
    created: float
    updated: float
    steps: list[StepRun] = field(default_factory=list)
    due: float | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more becomes of it by itself."""
        return self.status in (SUCCESS, FAILED, CANCELLED)

    @property
    def errors(self) -> list[dict[str, Any]]:
        """The errors of the steps that failed."""
        return [
            {"stepName": step.name, "error": step.values.get("error")}
            for step in self.steps
            if step.status == FAILED
        ]


class Formulas:
    """All instances of formulas and their executions.

    :param behaviour: returns the sandbox's current settings.
    :param agenda: lets executions end.
    :param store: knows the element instances.
    """

    def __init__(self, behaviour: Callable[[], Behaviour], agenda: Agenda, store: Store) -> None:
        self._behaviour = behaviour
        self._agenda = agenda
        self._store = store
        self._ids = itertools.count(_FIRST_ID)
        self._instances: dict[int, FormulaInstance] = {}
        self._executions: dict[int, Execution] = {}
        self.plans = Plans(ExecutionPlan)

    def clear(self) -> None:
        """Forget all instances, executions and plans. Ids continue (choice C45)."""
        self._instances.clear()
        self._executions.clear()
        self.plans.clear()

    def add(self, template: Template, name: str) -> FormulaInstance:
        """Keep a new instance and return it.

        :param template: its formula.
        :param name: its name.
        """
        instance = FormulaInstance(next(self._ids), template, name, created=time.time())
        self._instances[instance.id] = instance
        return instance

    def get(self, number: int | None) -> FormulaInstance | None:
        """Return the instance with this id, or None.

        :param number: the id, or None for a text that is none.
        """
        return None if number is None else self._instances.get(number)

    def instances(self) -> list[FormulaInstance]:
        """Return all instances, in the order of their ids."""
        return list(self._instances.values())

    def remove(self, instance: FormulaInstance) -> None:
        """Forget an instance, and its executions with it (choice C408).

        :param instance: the instance.
        """
        del self._instances[instance.id]
        for number in [each.id for each in self._executions.values() if each.instance is instance]:
            del self._executions[number]

    def execution(self, number: int | None) -> Execution | None:
        """Return the execution with this id, or None.

        :param number: the id, or None for a text that is none.
        """
        return None if number is None else self._executions.get(number)

    def executions(self, instance: FormulaInstance | None = None) -> list[Execution]:
        """Return all executions, or those of an instance, in the order of their ids.

        :param instance: the instance, or None.
        """
        return [each for each in self._executions.values() if instance in (None, each.instance)]

    def trigger(self, instance: FormulaInstance, payload: dict[str, Any]) -> Execution:
        """Begin an execution and return it.

        :param instance: the formula instance.
        :param payload: what the trigger was given.
        """
        now = time.time()
        execution = Execution(next(self._ids), instance, payload, PENDING, now, now)
        self._executions[execution.id] = execution
        if len(self._executions) > _MOST_EXECUTIONS:
            del self._executions[next(iter(self._executions))]
        self._begin(execution)
        return execution

    def retry(self, execution: Execution) -> None:
        """Run a failed execution again from its first step (choice C406).

        :param execution: the execution.
        """
        execution.status, execution.updated = RETRY, time.time()
        execution.steps.clear()
        self._begin(execution)

    def stop(self, execution: Execution, status: str) -> None:
        """End an execution that still runs.

        :param execution: the execution.
        :param status: how it ends.
        """
        execution.due = None
        execution.status, execution.updated = status, time.time()

    def _begin(self, execution: Execution) -> None:
        plan = self.plans.pick()
        if plan.outcome == "stay":
            return
        moment = execution.due = time.monotonic() + self._behaviour().formula_duration
        self._agenda.at(moment, lambda: self._end(execution, moment, plan))

    def _end(self, execution: Execution, moment: float, plan: ExecutionPlan) -> None:
        """Run the steps of an execution, unless it was cancelled meanwhile."""
        if execution.due != moment or self._executions.get(execution.id) is not execution:
            return
        execution.due = None
        context = self._context(execution)
        status = SUCCESS
        for number, step in enumerate(execution.instance.template.steps):
            try:
                if plan.outcome == "fail" and (plan.step == step.name or (plan.step is None and number == 0)):
                    raise StepError(plan.message)
                values = context.values[step.name] = step.run(context)
                execution.steps.append(StepRun(step.name, SUCCESS, values, time.time()))
            except StepError as error:
                status = FAILED
                execution.steps.append(StepRun(step.name, FAILED, {"error": str(error)}, time.time()))
                break
        execution.status, execution.updated = status, time.time()

    def _context(self, execution: Execution) -> Context:
        instance = self._store.get(execution.instance.element_instance)
        contacts = None
        if instance is not None:
            contacts = instance.tables.of(instance.element, "contacts", self._behaviour().records)
        return Context(execution.payload, instance, contacts, {})
