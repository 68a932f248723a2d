"""Apply a plan: carry out what was approved and is still needed, and prove it by a reading at the end.

Each apply begins with a look at the account and compares again. So an apply that was killed can run again at
any moment: it finds what took place, and makes nothing twice. It does not carry out a change that is no
longer the approved one.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_provider_cloudelements.client.plain import plain_text
from airflow_provider_cloudelements.client.tags import namespace_tag
from airflow_provider_cloudelements.client.target import Target
from airflow_provider_cloudelements.client.wire.doubt import looks
from airflow_provider_cloudelements.client.wire.http import PAGE_SIZE
from airflow_provider_cloudelements.client.wire.parallel import as_finished, checked_concurrency, in_order
from airflow_provider_cloudelements.client.wire.request import is_count
from airflow_provider_cloudelements.exceptions import (
    CloudElementsConflictError,
    CloudElementsError,
    CloudElementsNotFoundError,
    CloudElementsUnsafePlanError,
    CloudElementsValidationError,
)
from airflow_provider_cloudelements.fleet.changes import Change, Kind
from airflow_provider_cloudelements.fleet.compare import OWN_TAGS, Compared
from airflow_provider_cloudelements.fleet.gate import Gate
from airflow_provider_cloudelements.fleet.manifest import Manifest, checked_row
from airflow_provider_cloudelements.fleet.matching import Match, Matching
from airflow_provider_cloudelements.fleet.planning import see_all
from airflow_provider_cloudelements.fleet.plans import Plan
from airflow_provider_cloudelements.fleet.report import GOOD, Progress, Report, Result, Status
from airflow_provider_cloudelements.fleet.safety import refuse_unsafe
from airflow_provider_cloudelements.fleet.wanted import Credentials, Wanted, wanted_of
from airflow_provider_cloudelements.fleet.writing import Hands, Outcome, Task

if TYPE_CHECKING:
    from airflow_provider_cloudelements.client import CloudElementsClient
    from airflow_provider_cloudelements.client.models import Instance

log = logging.getLogger(__name__)

#: Most changes at once, unless the caller says otherwise.
CONCURRENCY = 8
#: How often a change is tried that the platform refused in passing.
_ROUNDS = 4
#: What an approved kind may have become when an earlier apply was killed in the middle of it.
_PARTS = {
    Kind.REPLACE: (Kind.CREATE,),
    Kind.ENABLE: (Kind.UPDATE, Kind.REAUTHENTICATE),
    Kind.REAUTHENTICATE: (Kind.UPDATE, Kind.ENABLE),
    Kind.ADOPT: (Kind.UPDATE, Kind.REAUTHENTICATE, Kind.ENABLE, Kind.DISABLE),
    Kind.MOVE: (Kind.UPDATE, Kind.REAUTHENTICATE, Kind.ENABLE, Kind.DISABLE),
    Kind.DISABLE: (Kind.UPDATE,),
    Kind.CREATE: (Kind.DISABLE,),
}


def apply(
    client: CloudElementsClient,
    plan: Plan,
    checksum: str,
    credentials: Credentials,
    *,
    concurrency: int = CONCURRENCY,
    force: Collection[str] = (),
    max_changes: int | None = None,
    max_deletes: int | None = None,
    fail_fast: bool = False,
    settle_time: float | None = None,
    on_progress: Callable[[Progress], object] | None = None,
    stop: Callable[[], bool] | None = None,
) -> Report:
    """Apply a plan.

    :param client: The account's client, with the connection that the plan was made with.
    :param plan: The plan, or a part of one.
    :param checksum: The checksum of the plan that was approved.
    :param credentials: Function that reads an element connection by its id.
    :param concurrency: Most changes at once, from 1 to 256. Default: 8.
    :param force: Names of what is allowed although it is not safe: ``updates``, ``deletes``, and the keys of
        grave changes.
    :param max_changes: Most changes; if the plan has more, nothing is changed.
    :param max_deletes: Most deletes and replacements; if the plan has more, nothing is changed.
    :param fail_fast: Whether the first failure ends the apply, after the changes that have begun. Default:
        ``False``.
    :param settle_time: Seconds to look for an instance after a create whose outcome is not known. Default:
        the connection's ``create_timeout``.
    :param on_progress: Function that gets the progress after each change, in the caller's thread.
    :param stop: Function that says whether to begin no further change, such as ``is_set`` of an event. Any
        thread may call it.
    :return: A report with a result for each change. A change that failed raises nothing.
    :raises CloudElementsConflictError: The checksum is not the plan's, or the plan is for another account.
    :raises CloudElementsUnsafePlanError: The plan breaks a rule of safety that ``force`` does not name, or
        has more changes or deletes than allowed. Nothing was changed.
    :raises CloudElementsManifestError: A connection that the plan names cannot be read. Nothing was changed.
    :raises CloudElementsError: The account could not be read at the beginning. Nothing was changed.
    """
    _check(client, plan, checksum, force, max_changes, max_deletes, concurrency)
    hands = Hands(client.instances, Gate(concurrency), settle_time)
    return _Apply(client, plan, credentials, hands, concurrency, fail_fast, on_progress, stop).run()


def _check(
    client: CloudElementsClient,
    plan: Plan,
    checksum: str,
    force: Collection[str],
    max_changes: int | None,
    max_deletes: int | None,
    concurrency: int,
) -> None:
    checked_concurrency(concurrency)
    if checksum != plan.checksum:
        raise CloudElementsConflictError(
            "The checksum is not that of the plan: it is not the plan that was approved. Nothing was changed."
        )
    settings = client.settings
    if (plan.base_url, plan.namespace) != (settings.base_url, plain_text(settings.namespace)):
        raise CloudElementsConflictError(
            f"The plan was made for {plan.base_url} and namespace {plan.namespace!r}, and the connection is "
            f"for {settings.base_url} and {settings.namespace!r}. Nothing was changed."
        )
    refuse_unsafe(plan.violations, force)
    for name, most, number in (
        ("max_changes", max_changes, len(plan.changes)),
        ("max_deletes", max_deletes, plan.deletes),
    ):
        if most is not None and not is_count(most):
            raise CloudElementsValidationError(f"{name} must be a whole number from 0 on, or None.")
        if most is not None and number > most:
            raise CloudElementsUnsafePlanError(
                f"The plan has {number}, more than {name}={most}. Nothing was changed."
            )


class _Apply:
    """Run :func:`apply` once."""

    def __init__(
        self,
        client: CloudElementsClient,
        plan: Plan,
        credentials: Credentials,
        hands: Hands,
        concurrency: int,
        fail_fast: bool,
        on_progress: Callable[[Progress], object] | None,
        stop: Callable[[], bool] | None,
    ) -> None:
        self._client = client
        self._plan = plan
        self._hands = hands
        self._concurrency = concurrency
        self._fail_fast = fail_fast
        self._on_progress = on_progress
        self._stop = stop
        self._approved = plan.changes
        self._space = namespace_tag(client.settings.namespace)
        self._wanted = self._read_rows(credentials)
        #: By place in the plan: how the last try ended, and results that stay.
        self._outcomes: dict[int, Outcome] = {}
        self._results: dict[int, Result] = {}
        self._created: set[int] = set()
        self._twins: list[int] = []
        self._stopped: str | None = None
        self._began = time.monotonic()

    def _read_rows(self, credentials: Credentials) -> dict[int, Wanted]:
        """Return what the rows of the plan ask for, by their place in the plan."""
        numbers = [number for number, each in enumerate(self._approved) if each.row is not None]
        # A plan of another version of this package may hold other fields.
        rows = [checked_row(self._approved[number].row or {}, number) for number in numbers]
        problems = tuple(problem for _, found in rows for problem in found)
        manifest = Manifest(tuple(row for row, _ in rows), self._plan.ownership_tag, problems)
        found = wanted_of(manifest, self._client.settings, credentials)
        adopted = {number for number in numbers if self._approved[number].kind in (Kind.ADOPT, Kind.MOVE)}
        return {
            number: replace(each, adopt=True) if number in adopted else each
            for number, each in zip(numbers, found, strict=True)
        }

    def run(self) -> Report:
        """Look, carry out, and look again, until nothing is left to try."""
        for number, wanted in self._wanted.items():
            if wanted.digest != self._approved[number].digest:
                self._end(
                    number, Status.STALE, "what its connections give has changed since the plan: plan again."
                )
        note: str | None = None
        for round_number in range(_ROUNDS):
            try:
                found = self._look()
            except CloudElementsError as error:
                if not round_number:
                    raise
                note = f"The account could not be read at the end: {error}"
                break
            tasks = self._judge(found)
            if not tasks or self._stopped or round_number == _ROUNDS - 1:
                break
            self._carry_out(tasks)
            self._settle()
        return self._report(note)

    # -- looking --------------------------------------------------------------------------------------

    def _look(self) -> dict[int, Match]:
        """Return what each change of the plan that has no result needs now."""
        open_changes = [number for number in range(len(self._approved)) if number not in self._results]
        wanted = {number: self._wanted[number] for number in open_changes if number in self._wanted}
        deletes = {
            change.instance_id: number
            for number in open_changes
            if number not in wanted and (change := self._approved[number]).instance_id is not None
        }
        names = {instance_id: self._approved[number].key for instance_id, number in deletes.items()}
        matching = Matching(wanted.values(), self._plan.ownership_tag, self._space, deletes=names)
        if open_changes:
            self._show(matching, open_changes)
        numbers = iter(wanted)
        found: dict[int, Match] = {}
        for match in matching.matches():
            if match.wanted is not None:
                found[next(numbers)] = match
            elif match.kept in deletes:
                found[deletes[match.kept]] = match
        return found

    def _show(self, matching: Matching, numbers: list[int]) -> None:
        """Show the matching what it needs: the whole list, or single look-ups if these are fewer calls."""
        if len(numbers) * 2 > (self._plan.listed + len(self._approved)) / PAGE_SIZE:
            see_all(self._client.instances, matching)
            return
        seen: dict[int, Instance] = {}
        for found in in_order(self._of_change, numbers, self._concurrency):
            seen |= {each.id: each for each in found}
        matching.see(seen.values())
        matching.read_rest(self._client.instances)

    def _of_change(self, number: int) -> list[Instance]:
        """Look up the instances that a change is about."""
        instances, change = self._client.instances, self._approved[number]
        found: list[Instance] = []
        wanted = self._wanted.get(number)
        if wanted is not None:
            for identity in (wanted.identity, wanted.moved_from):
                if identity is not None:
                    found += Target.of_identity(identity).listed(instances)
        if change.instance_id is not None and change.instance_id not in {each.id for each in found}:
            try:
                found.append(instances.get(change.instance_id))
            except CloudElementsNotFoundError:
                log.debug("Instance %d is gone.", change.instance_id)
        return found

    # -- judging --------------------------------------------------------------------------------------

    def _judge(self, found: dict[int, Match]) -> list[Task]:
        """Give results to changes that need nothing any more. Return those that may be carried out."""
        tasks = []
        for number, approved in enumerate(self._approved):
            if number in self._results:
                continue
            match = self._with_late(number, found.get(number))
            outcome = self._outcomes.get(number)
            now = None if match is None else match.compared.change
            if match is not None:
                self._remove_twins(number, match)
            if match is None or now is None:
                self._settled(number, match, outcome)
            elif outcome is not None and outcome.error is None and not _is_younger(outcome, match):
                names = ", ".join(each.name for each in now.fields) or str(now.kind)
                self._end(number, Status.FAILED, f"reading back shows something else: {names}.", match.kept)
            elif outcome is not None and outcome.error is not None and not outcome.may_pass:
                self._end(number, Status.FAILED, str(outcome.error), outcome.instance_id)
            elif not _is_within(now, approved):
                self._end(
                    number,
                    Status.STALE,
                    f"it has changed since the plan and needs: {now.kind}. Plan again.",
                    match.kept,
                )
            else:
                tasks.append(Task(number, now, match))
        return tasks

    def _settled(self, number: int, match: Match | None, outcome: Outcome | None) -> None:
        """Give a result to a change that needs nothing any more."""
        approved = self._approved[number]
        kept = None if match is None else match.kept
        known = kept if kept is not None else approved.instance_id
        notes = match.compared.notes if match is not None else ()
        message = " ".join(each.text for each in notes) or None
        gone = approved.kind is Kind.DELETE
        if gone if match is None or kept is None else (not gone and not match.compared.left):
            tried = outcome is not None
            self._end(number, Status.DONE if tried else Status.ALREADY, message, known)
        elif outcome is not None and outcome.error is not None:
            self._end(number, Status.FAILED, str(outcome.error), outcome.instance_id)
        else:
            self._end(number, Status.STALE, message or "it has changed since the plan. Plan again.", known)

    def _with_late(self, number: int, match: Match | None) -> Match | None:
        """Return the match of an instance that was made just now and that the list does not show yet."""
        outcome = self._outcomes.get(number)
        made = outcome is not None and outcome.created and outcome.instance_id is not None
        if (
            match is None
            or match.kept is not None
            or not made
            or outcome is None
            or outcome.instance_id is None
        ):
            return match
        alone = Matching([self._wanted[number]], self._plan.ownership_tag, self._space)
        try:
            alone.see([self._client.instances.get(outcome.instance_id)])
        except CloudElementsError as error:
            log.warning("Instance %d could not be read: %s", outcome.instance_id, error)
            return replace(match, compared=Compared(), kept=outcome.instance_id)
        alone.read_rest(self._client.instances)
        return next(alone.matches())

    def _remove_twins(self, number: int, match: Match) -> None:
        """Delete what was made twice: the oldest instance of the key stays, as for the create operator."""
        if self._approved[number].kind not in (Kind.CREATE, Kind.REPLACE):
            return
        for instance, covered in match.twins:
            twin = instance.id
            # The key had no instance when this apply began, so all but the oldest are of a race.
            if not covered and number not in self._created:
                continue
            log.warning(
                "Instance %d is a twin of %s, made at the same time. It is deleted.", twin, match.kept
            )
            try:
                self._client.instances.delete(twin)
            except CloudElementsError as error:
                log.warning("Instance %d could not be deleted: %s", twin, error)
            else:
                self._twins.append(twin)

    # -- carrying out ---------------------------------------------------------------------------------

    def _carry_out(self, tasks: list[Task]) -> None:
        with closing(as_finished(self._work, self._going_out(tasks), self._concurrency)) as outcomes:
            for outcome in outcomes:
                self._outcomes[outcome.number] = outcome
                if outcome.created or outcome.doubt:
                    self._created.add(outcome.number)
                self._tell()

    def _work(self, task: Task) -> Outcome:
        """Carry out a change, in a thread."""
        outcome = self._hands.carry_out(task)
        if outcome.error is not None:
            # Here, so that the thread that had the failure takes no further change with fail_fast.
            self._failed(outcome.number, outcome.error, outcome.may_pass)
        return outcome

    def _going_out(self, tasks: list[Task]) -> Iterator[Task]:
        for task in tasks:
            if self._stop is not None and self._stop():
                self._stopped = "it was interrupted."
            if self._stopped is not None:
                return
            yield task

    def _failed(self, number: int, error: CloudElementsError, may_pass: bool) -> None:
        change = self._approved[number]
        log.warning("%s of %r failed: %s", change.kind, change.key, error)
        if error.concerns_account and not may_pass:
            self._stopped = "the platform refuses the connection's secrets."
        elif self._fail_fast and not may_pass:
            self._stopped = "another change failed, and fail_fast is set."

    def _settle(self) -> None:
        """Wait for creates whose outcome is not known: the server may still be at work on them."""
        doubtful = [
            number for number, each in self._outcomes.items() if each.doubt and number not in self._results
        ]
        if not doubtful:
            return
        settle_time = self._hands.settle_time
        log.warning(
            "It is not known whether %d creates took place. Looking for up to %.0f s.",
            len(doubtful),
            settle_time,
        )
        for _ in looks(settle_time, time.sleep, time.monotonic):
            try:
                found = in_order(self._of_change, doubtful, self._concurrency)
                doubtful = [number for number, each in zip(doubtful, list(found), strict=True) if not each]
            except CloudElementsError as error:
                log.warning("The look-up failed: %s", error)
            if not doubtful:
                return

    # -- telling --------------------------------------------------------------------------------------

    def _end(self, number: int, status: Status, message: str | None, instance_id: int | None = None) -> None:
        change = self._approved[number]
        told = None if message is None else plain_text(message)  # an error may quote a vendor
        self._results[number] = Result(change.kind, change.key, status, instance_id, told)

    def _tell(self) -> None:
        if self._on_progress is None:
            return
        ended = [each for number, each in self._outcomes.items() if number not in self._results]
        good = sum(each.error is None for each in ended) + sum(each.good for each in self._results.values())
        failed = len(ended) + len(self._results) - good
        self._on_progress(Progress(good, failed, len(self._approved), time.monotonic() - self._began))

    def _report(self, note: str | None) -> Report:
        for number in range(len(self._approved)):
            if number in self._results:
                continue
            outcome = self._outcomes.get(number)
            if outcome is None:
                self._end(number, Status.SKIPPED, f"not begun: {self._stopped or 'the apply ended before.'}")
            elif outcome.error is None:
                self._end(number, Status.DONE, None, outcome.instance_id)
            else:
                self._end(number, Status.FAILED, str(outcome.error), outcome.instance_id)
        results = tuple(self._results[number] for number in range(len(self._approved)))
        ok = all(each.status in GOOD for each in results)
        seconds = time.monotonic() - self._began
        return Report(results, self._plan.checksum, seconds, ok and note is None, tuple(self._twins), note)


def _is_younger(outcome: Outcome, match: Match) -> bool:
    """Return whether another task made an instance of the key before ours, so that its one stays."""
    return outcome.created and match.kept != outcome.instance_id


def _is_within(now: Change, approved: Change) -> bool:
    """Return whether what an instance needs now is what was approved, or a part of it."""
    if approved.kind in (Kind.CREATE, Kind.REPLACE) and now.kind is Kind.UPDATE:
        # A create of the same key, such as a scheduled one, was sooner. Only our own tags are still missing.
        return all(each.name == OWN_TAGS for each in now.fields)
    if now.kind is not approved.kind and now.kind not in _PARTS.get(approved.kind, ()):
        return False
    if now.grave is not None and approved.grave is None:
        return False
    if approved.instance_id not in (None, now.instance_id) and now.kind is not Kind.CREATE:
        return False
    return approved.kind in (Kind.CREATE, Kind.REPLACE) or all(each in approved.fields for each in now.fields)
