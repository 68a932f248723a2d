"""Formulas: which instance is meant, a start that a retry does not repeat, and how an execution ended."""

from __future__ import annotations

import difflib
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

from airflow_provider_cloudelements.client.arguments import text, texts
from airflow_provider_cloudelements.client.formulas import (
    SUCCESS,
    Formula,
    FormulaExecution,
    FormulaInstance,
    FormulasApi,
    number_of,
)
from airflow_provider_cloudelements.client.plain import fitted
from airflow_provider_cloudelements.client.wire.clock import Moment, PlatformClock
from airflow_provider_cloudelements.client.wire.doubt import may_have_acted
from airflow_provider_cloudelements.client.wire.secrecy import secret_values
from airflow_provider_cloudelements.exceptions import (
    CloudElementsAmbiguousCreateError,
    CloudElementsConflictError,
    CloudElementsError,
    CloudElementsFormulaError,
    CloudElementsNotFoundError,
    CloudElementsValidationError,
)

log = logging.getLogger(__name__)

#: Seconds after a start without an answer in which its execution may still appear. No document names a time.
SETTLE = 30.0
#: Seconds by which the date of an execution may lie before its start, by the rounding of clocks.
MARGIN = 5.0
#: Most errors of steps, and most ids, that one message names.
_MOST_NAMED = 5

_Named = TypeVar("_Named", Formula, FormulaInstance)


class Store(Protocol):
    """A task's state store."""

    def get(self, key: str) -> Any:
        """Return the value of a key."""

    def set(self, key: str, value: Any) -> None:
        """Keep a value."""


@dataclass(frozen=True, slots=True)
class FormulaTarget:
    """The formula instance that a task means.

    :param formula_id: Id of the formula.
    :param formula_name: Name of the formula.
    :param formula_instance_id: Id of the instance.
    :param formula_instance_name: Name of the instance.
    :raises CloudElementsValidationError: Nothing is given, or both id and name of one thing.
    """

    formula_id: int | str | None = None
    formula_name: str | None = None
    formula_instance_id: int | str | Mapping[str, Any] | None = field(default=None, repr=False)
    formula_instance_name: str | None = None

    def __post_init__(self) -> None:
        for what in ("formula", "formula_instance"):
            number, name = getattr(self, f"{what}_id"), getattr(self, f"{what}_name")
            if number is not None and name is not None:
                raise CloudElementsValidationError(f"Give {what}_id or {what}_name, not both.")
            if number is not None:
                number_of(f"{what}_id", number)
            if name is not None and not text(f"{what}_name", name).strip():
                raise CloudElementsValidationError(f"{what}_name names nothing.")
        if all(getattr(self, name) is None for name in self.__dataclass_fields__):
            raise CloudElementsValidationError(
                "Give formula_instance_id or formula_instance_name; or formula_id or formula_name, if the "
                "formula has one active instance."
            )

    def find(self, api: FormulasApi, steps: Sequence[str] = ()) -> tuple[int, str | None]:
        """Find the instance.

        :param api: The account's formulas.
        :param steps: Names of steps that the formula must have, if the target names the formula.
        :return: Its id, and its name if that was looked up.
        :raises CloudElementsNotFoundError: There is none.
        :raises CloudElementsConflictError: There are several.
        :raises CloudElementsValidationError: The formula has no such step.
        """
        formula = self._formula(api)
        if formula is not None:
            _require_steps(formula, steps)
        if self.formula_instance_id is not None:
            number = number_of("formula_instance_id", self.formula_instance_id)
            return number, None if formula is None else api.instance(formula.id, number).name
        rows = api.instances() if formula is None else api.instances_of(formula.id)
        if self.formula_instance_name is not None:
            found = _only(rows, self.formula_instance_name, "formula instance")
            return found.id, found.name
        active = [each for each in rows if each.active]
        if len(active) != 1:
            raise _miscounted("active instance of the formula", active)
        return active[0].id, active[0].name

    def _formula(self, api: FormulasApi) -> Formula | None:
        if self.formula_name is not None:
            # Ids differ from account to account, so tools go by names (fact F412).
            return _only(api.list(), self.formula_name, "formula")
        return None if self.formula_id is None else api.get(self.formula_id)


def _only(rows: Iterable[_Named], name: str, what: str) -> _Named:
    """Return the only row of a name."""
    there = list(rows)
    found = [each for each in there if each.name == name]
    if len(found) == 1:
        return found[0]
    near = difflib.get_close_matches(name, {each.name for each in there}, n=1)
    raise _miscounted(f"{what} of the name {name!r}", found, f" Did you mean {near[0]!r}?" if near else "")


def _miscounted(what: str, found: Sequence[Formula | FormulaInstance], hint: str = "") -> CloudElementsError:
    if not found:
        return CloudElementsNotFoundError(f"There is no {what}.{hint}")
    return CloudElementsConflictError(
        f"There are {len(found)}, not one {what}: {_ids(found)}. Name one by its id."
    )


def _ids(found: Sequence[Formula | FormulaInstance | FormulaExecution]) -> str:
    ids = ", ".join(str(each.id) for each in found[:_MOST_NAMED])
    return ids if len(found) <= _MOST_NAMED else f"{ids}, ..."


def _require_steps(formula: Formula, steps: Sequence[str]) -> None:
    unknown = next((each for each in steps if formula.steps and each not in formula.steps), None)
    if unknown is not None:
        near = difflib.get_close_matches(unknown, formula.steps, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(map(repr, formula.steps[:20]))}."
        raise CloudElementsValidationError(
            f"steps names {unknown!r}, which is no step of the formula {formula.name!r}: {hint}"
        )


# -- a start that a retry does not repeat --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Started:
    """What a task remembers of a start.

    :param began: When it began.
    :param execution_id: The execution; ``None``: no answer has named it.
    :param series: In which series of tries it was.
    :param told: In which series the task said that an execution may be the start's; ``None``: in none.
    """

    began: Moment
    execution_id: int | None
    series: int
    told: int | None = None


class StartMemory:
    """What a task remembers of its start over its tries: ids and times, since Airflow shows them in clear.

    :param store: The task's state store; ``None`` on Airflow 3.1 and 3.2, where nothing is remembered.
    :param series: A number that is the same in all tries of which Airflow itself makes the later ones, and
        another one when a person clears the task.
    """

    KEY = "cloudelements_formula_execution"

    def __init__(self, store: Store | None, series: int) -> None:
        self._store = store
        self.series = series

    def kept(self, formula_instance_id: int) -> Started | None:
        """Return the start that an earlier try noted, if it was of the same formula instance."""
        kept = None if self._store is None else self._store.get(self.KEY)
        if not isinstance(kept, Mapping) or kept.get("instance") != formula_instance_id:
            return None
        began = Moment(float(kept["began"]), kept.get("ahead"))
        return Started(began, kept["execution"], kept["series"], kept.get("told"))

    def begins(self, formula_instance_id: int, clock: PlatformClock) -> Started:
        """Note that a start begins now."""
        started = Started(clock.now(), None, self.series)
        self._keep(formula_instance_id, started)
        return started

    def began(self, formula_instance_id: int, started: Started, execution_id: int) -> None:
        """Note the execution that a start has made."""
        self._keep(formula_instance_id, replace(started, execution_id=execution_id))

    def tells(self, formula_instance_id: int, started: Started) -> None:
        """Note that the task says now that an execution may be a start's."""
        self._keep(formula_instance_id, replace(started, told=self.series))

    def dates(self, formula_instance_id: int, started: Started, clock: PlatformClock) -> None:
        """Note when a start of this try began by the platform's clock, if that has shown since."""
        kept = self.kept(formula_instance_id)
        if kept is not None and kept.began.ahead is None and clock.ahead is not None:
            self._keep(formula_instance_id, replace(kept, began=Moment(started.began.at, clock.ahead)))

    def is_settled(self, started: Started) -> bool:
        """Return whether a person has cleared the task since it said that: who clears it has looked."""
        return started.told is not None and started.told != self.series

    def forget(self) -> None:
        """Forget the start."""
        if self._store is not None:
            self._store.set(self.KEY, {})

    def _keep(self, formula_instance_id: int, started: Started) -> None:
        if self._store is not None:
            self._store.set(
                self.KEY,
                {
                    "instance": formula_instance_id,
                    "began": started.began.at,
                    "ahead": started.began.ahead,
                    "execution": started.execution_id,
                    "series": started.series,
                    "told": started.told,
                },
            )


def start_once(
    api: FormulasApi,
    formula_instance_id: int,
    payload: Mapping[str, Any] | None,
    memory: StartMemory,
    pause: Callable[[float], None] = time.sleep,
) -> FormulaExecution:
    """Start an execution, or take up the one that an earlier try started.

    The platform has no idempotency key, and shows nothing that leads from an execution back to its start
    (unknown U403). If the answer of a start is lost, an execution of this formula instance that is dated
    since may be the one. Nothing more can be known, so the task ends.

    :param api: The account's formulas.
    :param formula_instance_id: The formula instance.
    :param payload: What the trigger gets.
    :param memory: What earlier tries noted.
    :param pause: Waits some seconds.
    :raises CloudElementsAmbiguousCreateError: A start may have begun an execution, and nobody knows which.
    :raises CloudElementsError: The start failed.
    """
    kept = memory.kept(formula_instance_id)
    if kept is not None and kept.execution_id is not None:
        if (found := _taken_up(api, kept, memory.series)) is not None:
            return found
    elif kept is not None and not memory.is_settled(kept):
        pause(max(0.0, SETTLE - max(0.0, time.time() - kept.began.ours(api.clock))))
        _require_none_since(api, formula_instance_id, kept, memory)
    start = memory.begins(formula_instance_id, api.clock)
    try:
        execution = api.start(formula_instance_id, payload)
    except CloudElementsError as error:
        if may_have_acted(error):
            try:
                _require_none_since(api, formula_instance_id, start, memory)
                pause(SETTLE)
                _require_none_since(api, formula_instance_id, start, memory)
            finally:
                memory.dates(formula_instance_id, start, api.clock)
            error.advise("No execution has appeared since, so a retry starts one.")
        memory.forget()
        raise
    memory.began(formula_instance_id, start, execution.id)
    return execution


def _taken_up(api: FormulasApi, kept: Started, series: int) -> FormulaExecution | None:
    """Return the execution of an earlier try, if it is still this task's."""
    try:
        found = api.execution(kept.execution_id or 0)
    except CloudElementsNotFoundError:
        return None
    if not found.ended:
        log.info("Execution %d of an earlier try still runs (%s); it is taken up.", found.id, found.status)
        return found
    if found.status == SUCCESS and kept.series == series:
        log.info("Execution %d of an earlier try has succeeded meanwhile.", found.id)
        return found
    return None


def _require_none_since(
    api: FormulasApi, formula_instance_id: int, start: Started, memory: StartMemory
) -> None:
    """Require that no execution is dated since a start.

    :raises CloudElementsAmbiguousCreateError: There are some, or it cannot be known. It is final if there
        are some.
    """
    try:
        rows = list(api.executions(formula_instance_id))
    except CloudElementsError as failure:
        raise CloudElementsAmbiguousCreateError(
            f"Formula instance {formula_instance_id}: the answer of the start was lost, and its executions "
            f"cannot be listed: {failure}"
        ) from None
    began = start.began.date(api.clock)
    since = None if began is None else began.subtract(seconds=MARGIN)
    found = [
        each for each in rows if since is None or each.created_date is None or each.created_date >= since
    ]
    if not found:
        return
    # Not forgotten: a policy of the user's own may retry, and that try knows no more.
    memory.tells(formula_instance_id, start)
    error = CloudElementsAmbiguousCreateError(
        f"Formula instance {formula_instance_id}: the answer of the start was lost, and an execution has "
        f"begun since ({_ids(found)}). Nothing shows whether it is this task's. Look at it, and clear the "
        "task if another one shall start."
    )
    error.final = True
    raise error


# -- how an execution ended ----------------------------------------------------------------------------------


def outcome(
    api: FormulasApi,
    execution: FormulaExecution,
    steps: Sequence[str] = (),
    payload: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return what an execution has given.

    :param api: The account's formulas.
    :param execution: The execution, which need not have ended.
    :param steps: Names of the steps whose values are asked for.
    :param payload: What the trigger got: what is secret in it does not show in errors.
    :return: ``execution_id``, ``formula_instance_id``, ``status``, and ``outputs``: for each of the steps its
        values as the platform writes them, or ``None`` if it did not run. Of a step that ran several times
        they are those that the platform lists last.
    :raises CloudElementsFormulaError: It failed, or was cancelled.
    """
    if execution.ended and execution.status != SUCCESS:
        raise _failure(api, execution, payload)
    outputs: dict[str, Any] = dict.fromkeys(steps)
    if steps and execution.ended:
        for each in api.steps(execution.id):
            if each.step in outputs:
                outputs[each.step] = fitted(dict(each.values))
    return {**execution.as_json(), "outputs": outputs}


def _failure(
    api: FormulasApi, execution: FormulaExecution, payload: Mapping[str, Any] | None
) -> CloudElementsFormulaError:
    where = f"Execution {execution.id} of formula instance {execution.formula_instance_id}"
    try:
        errors = api.errors(execution.id, secret_values(payload))
    except CloudElementsError as failure:
        said = [f"Its errors cannot be read: {failure}"]
    else:
        said = [
            f"Step {each.step!r}: {each.message}" if each.step else each.message
            for each in errors[:_MOST_NAMED]
        ]
        if len(errors) > _MOST_NAMED:
            said.append(f"({len(errors) - _MOST_NAMED} more errors)")
    verb = "was cancelled" if execution.status == "cancelled" else "failed"
    return CloudElementsFormulaError(
        " ".join([f"{where} {verb}.", *said]), execution_id=execution.id, execution_status=execution.status
    )


def checked_steps(steps: Any) -> tuple[str, ...]:
    """Return the argument ``steps``.

    :raises CloudElementsValidationError: It is no list of texts.
    """
    return () if steps is None else texts("steps", steps)


def execution_id_of(value: Any) -> int:
    """Return the id of an execution that an argument stands for.

    :param value: An integer, its digits, or what ``CloudElementsRunFormulaOperator`` returned.
    :raises CloudElementsValidationError: It is none of these.
    """
    given = value.get("execution_id") if isinstance(value, Mapping) else value
    return number_of("execution_id", given)
