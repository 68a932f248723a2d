"""Wait for an execution of a formula: the trigger, and the calls that the poll hub makes for it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, ClassVar

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_cloudelements.client.formulas import FormulaExecution, FormulasApi
from airflow_provider_cloudelements.exceptions import CloudElementsError
from airflow_provider_cloudelements.triggers.account import Account, NobodyWaits
from airflow_provider_cloudelements.triggers.arguments import poll_interval_of
from airflow_provider_cloudelements.triggers.base import HubTrigger
from airflow_provider_cloudelements.triggers.outcome import event_of
from airflow_provider_cloudelements.triggers.waiting import (
    Answer,
    Kind,
    Waiter,
    passing_fault,
    session_for,
)

__all__ = ["CloudElementsFormulaExecutionTrigger"]

_ExecutionWaiter = Waiter[int, FormulaExecution]


class ExecutionWait(Kind[int, FormulaExecution]):
    """Wait for executions. No document names a list of several, so a tick reads each once."""

    name: ClassVar[str] = "executions of formulas"

    def ask(
        self, account: Account, waiters: Sequence[_ExecutionWaiter]
    ) -> Iterator[Sequence[Answer[int, FormulaExecution]]]:
        """Read each execution, however many wait for it, and answer those whose execution has ended."""
        waiting: dict[int, list[_ExecutionWaiter]] = defaultdict(list)
        for waiter in waiters:
            waiting[waiter.look].append(waiter)
        down: list[CloudElementsError] = []
        answers = False
        passing: CloudElementsError | None = None

        def read(execution_id: int) -> FormulaExecution:
            if down and not answers:
                raise down[0]  # a thousand more calls would fail as well
            try:
                return FormulasApi(session_for(account, waiting[execution_id])).execution(execution_id)
            except CloudElementsError as error:
                if error.retryable and not isinstance(error, NobodyWaits):
                    down.append(error)
                raise

        for execution_id, found in account.each(read, waiting):
            if isinstance(found, FormulaExecution):
                answers = True
                if found.ended:
                    yield [Answer(waiter, found) for waiter in waiting[execution_id]]
            elif (fault := passing_fault(found)) is None:
                yield [Answer(waiter, found) for waiter in waiting[execution_id]]
            elif not isinstance(fault, NobodyWaits):
                passing = fault
        if passing is not None:
            raise passing


class CloudElementsFormulaExecutionTrigger(HubTrigger, BaseTrigger):
    """Wait until an execution of a formula has ended, and report it in one event.

    The event is ``{"status": "success", "execution": {...}}`` with ``execution_id``, ``formula_instance_id``
    and the ``status`` of the execution, which may have failed; ``{"status": "success", "late": ...}`` with
    the id, at ``end_at``; or ``{"status": "error", "kind": ..., "message": ..., "final": ...}`` with the
    exception's class name, and whether no retry can help.

    It cancels no execution when its task is killed: the next try of a cleared task takes the execution up.

    :param cloudelements_conn_id: Connection of type ``cloudelements``.
    :param execution_id: Id of the execution.
    :param poll_interval: Seconds between two looks, at least 1. Default: 10.
    :param end_at: Moment at which the wait ends, in seconds since 1970. Default: none.
    """

    stored = ("cloudelements_conn_id", "execution_id", "poll_interval", "end_at")

    def __init__(
        self,
        *,
        cloudelements_conn_id: str,
        execution_id: int,
        poll_interval: float = 10.0,
        end_at: float | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow leaves it untyped
        self.cloudelements_conn_id = cloudelements_conn_id
        self.execution_id = execution_id
        self.poll_interval = poll_interval_of(poll_interval)
        self.end_at = end_at

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait in the poll hub, then yield the one event."""
        yield await event_of(self._found())

    async def _found(self) -> dict[str, Any]:
        try:
            execution = await self.news_before(self.end_at, ExecutionWait, self.execution_id)
        except TimeoutError:
            return {"late": self.execution_id}
        return {"execution": execution.as_json()}
