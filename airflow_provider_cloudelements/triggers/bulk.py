"""Wait for a bulk job: the trigger, and the calls that the poll hub makes for it."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, ClassVar

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_cloudelements.client import CloudElementsClient, InstanceClient
from airflow_provider_cloudelements.client.bulk import BulkJob
from airflow_provider_cloudelements.client.instances import InstancesApi
from airflow_provider_cloudelements.compat import atask_state
from airflow_provider_cloudelements.exceptions import CloudElementsAuthError, CloudElementsError
from airflow_provider_cloudelements.hooks.cloudelements import CloudElementsHook
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

__all__ = ["CloudElementsBulkJobTrigger"]

log = logging.getLogger(__name__)

#: An instance's id and a job's.
Look = tuple[int, int]
_JobWaiter = Waiter[Look, BulkJob]
_Waiting = Mapping[int, Sequence[_JobWaiter]]

#: Seconds for the calls of a cancel on kill. Airflow breaks the method off a second after it began, and
#: does not wait for the rest.
_PATIENCE = 10.0
#: States of a task that somebody ended by hand, and that will not go on with its job.
_ENDED = frozenset({"failed", "success", "skipped", "removed", "upstream_failed"})


class BulkWait(Kind[Look, BulkJob]):
    """Wait for bulk jobs, instance by instance: by the list of its jobs, or singly if that is cheaper.

    It keeps each instance's token from tick to tick, in this process alone: otherwise each look would cost
    two calls.
    """

    name: ClassVar[str] = "bulk jobs"

    def __init__(self) -> None:
        self._tokens: dict[int, str] = {}
        #: Pages of each instance's last list; 0: it cannot be listed.
        self._pages: dict[int, int] = {}

    def ask(
        self, account: Account, waiters: Sequence[_JobWaiter]
    ) -> Iterator[Sequence[Answer[Look, BulkJob]]]:
        """Look at all jobs of each instance, and answer those whose job has ended."""
        waiting: dict[int, dict[int, list[_JobWaiter]]] = defaultdict(lambda: defaultdict(list))
        for waiter in waiters:
            instance_id, job_id = waiter.look
            waiting[instance_id][job_id].append(waiter)
        self._tokens = {each: token for each, token in self._tokens.items() if each in waiting}
        passing: CloudElementsError | None = None

        def look(instance_id: int) -> dict[int, BulkJob | Exception]:
            return self._look(account, instance_id, waiting[instance_id])

        for instance_id, found in account.each(look, waiting):
            jobs = waiting[instance_id]
            answers = dict.fromkeys(jobs, found) if isinstance(found, Exception) else found
            for job_id, answer in answers.items():
                if isinstance(answer, BulkJob):
                    if answer.status.is_terminal:
                        yield [Answer(waiter, answer) for waiter in jobs[job_id]]
                elif (fault := passing_fault(answer)) is None:
                    yield [Answer(waiter, answer) for waiter in jobs[job_id]]
                elif not isinstance(fault, NobodyWaits):
                    passing = fault
        if passing is not None:
            raise passing

    def _look(self, account: Account, instance_id: int, waiting: _Waiting) -> dict[int, BulkJob | Exception]:
        """Look at the jobs of one instance, with the token that is known, or else with a new one."""
        instances = InstancesApi(
            session_for(account, [each for waiters in waiting.values() for each in waiters])
        )
        known = self._tokens.get(instance_id)
        if known is not None:
            try:
                return self._jobs(InstanceClient(instances, instance_id, known), instance_id, waiting)
            except CloudElementsAuthError:
                del self._tokens[instance_id]  # it may be another one by now
        token = self._tokens[instance_id] = instances.token(instance_id)
        try:
            return self._jobs(InstanceClient(instances, instance_id, token), instance_id, waiting)
        except CloudElementsAuthError as error:
            # The account's secrets were good a moment ago, so this concerns the instance alone.
            own = CloudElementsError(str(error), status=error.status)
            own.final = True
            return dict.fromkeys(waiting, own)

    def _jobs(
        self, instance: InstanceClient, instance_id: int, waiting: _Waiting
    ) -> dict[int, BulkJob | Exception]:
        pages = self._pages.get(instance_id, 1)
        found: dict[int, BulkJob | Exception] = {}
        if pages and len(waiting) > pages:
            found |= self._listed(instance, instance_id, waiting)
        for job_id in waiting:
            if job_id not in found:
                found[job_id] = self._single(instance, job_id)
        return found

    def _listed(self, instance: InstanceClient, instance_id: int, waiting: _Waiting) -> dict[int, BulkJob]:
        try:
            rows = list(instance.bulk.list())
        except CloudElementsAuthError:
            raise
        except CloudElementsError as error:
            if error.retryable:
                raise
            log.warning("Instance %d lists no bulk jobs, so each is asked for: %s", instance_id, error)
            self._pages[instance_id] = 0
            return {}
        self._pages[instance_id] = 1 + len(rows) // 200
        return {each.id: each for each in rows if each.id in waiting}

    def _single(self, instance: InstanceClient, job_id: int) -> BulkJob | Exception:
        try:
            return instance.bulk.status(job_id)
        except CloudElementsAuthError:
            raise
        except CloudElementsError as error:
            return error


class CloudElementsBulkJobTrigger(HubTrigger, BaseTrigger):
    """Wait until a bulk job has ended, and report it in one event.

    The event is ``{"status": "success", "job": {...}}`` with ``job_id`` and the ``status`` of the job, which
    may have failed; or ``{"status": "error", "kind": ..., "message": ..., "final": ...}`` with the
    exception's class name, and whether no retry can help. If ``end_at`` comes first, ``status`` is ``LATE``.

    If somebody marks the task as failed or succeeded (Airflow 3.3 and later), the trigger cancels the job. If
    somebody clears it, the job goes on: the next try takes it up.

    :param cloudelements_conn_id: Connection of type ``cloudelements``.
    :param instance_id: Id of the instance. The trigger fetches its token, and never stores one.
    :param job_id: Id of the job.
    :param poll_interval: Seconds between two looks, at least 1. Default: 15.
    :param end_at: Moment at which the wait ends, in seconds since 1970. Default: none.
    :param own: Whether the job is the task's own, which is cancelled with it. Default: ``False``.
    :param began_at: Moment at which the task started the job, for the task that goes on. Default: none.
    :param carried: What else that task must know, as plain JSON. Airflow shows it. Default: nothing.
    """

    stored = (
        "cloudelements_conn_id",
        "instance_id",
        "job_id",
        "poll_interval",
        "end_at",
        "own",
        "began_at",
        "carried",
    )

    def __init__(
        self,
        *,
        cloudelements_conn_id: str,
        instance_id: int,
        job_id: int,
        poll_interval: float = 15.0,
        end_at: float | None = None,
        own: bool = False,
        began_at: float | None = None,
        carried: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow leaves it untyped
        self.cloudelements_conn_id = cloudelements_conn_id
        self.instance_id = instance_id
        self.job_id = job_id
        self.poll_interval = poll_interval_of(poll_interval)
        self.end_at = end_at
        self.own = own
        self.began_at = began_at
        self.carried = None if carried is None else dict(carried)
        #: The cancel under way: the loop keeps only a weak reference to it.
        self._cancelling: asyncio.Future[None] | None = None

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait in the poll hub, then yield the one event."""
        yield await event_of(self._found())

    async def on_kill(self) -> None:
        """Cancel the job, if it is the task's own and somebody ended the task by hand.

        Airflow cancels this method after a second, and may begin it when the new try of a cleared task waits
        for the same job already. So the work goes on by itself, and looks at the task's state first.
        """
        if self.own:
            self._cancelling = asyncio.ensure_future(self._cancel())
            await asyncio.shield(self._cancelling)

    async def _cancel(self) -> None:
        state = await atask_state(self)
        if state not in _ENDED:
            log.info("Bulk job %d goes on: the task is %s.", self.job_id, state or "to run again")
            return
        settings = await CloudElementsHook(self.cloudelements_conn_id).aget_settings()
        quick = replace(settings, request_timeout=min(settings.request_timeout, _PATIENCE), max_retries=0)
        with ThreadPoolExecutor(1, thread_name_prefix="cloudelements-cancel") as thread:
            await asyncio.get_running_loop().run_in_executor(
                thread, _cancel, CloudElementsClient(quick), self.instance_id, self.job_id
            )

    async def _found(self) -> dict[str, Any]:
        try:
            job = await self.news_before(self.end_at, BulkWait, (self.instance_id, self.job_id))
            status = str(job.status)
        except TimeoutError:
            status = "LATE"
        known = {"own": self.own, "began_at": self.began_at, "carried": self.carried}
        return {"job": {"job_id": self.job_id, "status": status, **known}}


def _cancel(client: CloudElementsClient, instance_id: int, job_id: int) -> None:
    with client:
        try:
            client.instance(instance_id).bulk.cancel(job_id)
        except CloudElementsError as error:
            log.warning("Bulk job %d could not be cancelled: %s", job_id, error)
        else:
            log.info("Bulk job %d is cancelled.", job_id)
