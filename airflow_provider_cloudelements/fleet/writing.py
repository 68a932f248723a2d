"""Carry out one change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_cloudelements.client.models import Instance
from airflow_provider_cloudelements.client.wire.doubt import may_have_acted, settle_seconds
from airflow_provider_cloudelements.exceptions import CloudElementsError, CloudElementsRateLimitError
from airflow_provider_cloudelements.fleet.changes import Change, Kind
from airflow_provider_cloudelements.fleet.fields import DISABLED
from airflow_provider_cloudelements.fleet.gate import Gate, may_pass
from airflow_provider_cloudelements.fleet.matching import Match
from airflow_provider_cloudelements.fleet.wanted import Wanted
from airflow_provider_cloudelements.provisioning.difference import IN_FIELDS, Difference, check_read_back
from airflow_provider_cloudelements.provisioning.memory import CallMemory
from airflow_provider_cloudelements.provisioning.mending import Writer, write

if TYPE_CHECKING:
    from airflow_provider_cloudelements.client.instances import InstancesApi


@dataclass(frozen=True, slots=True)
class Task:
    """A change to carry out.

    :param number: Its place in the plan.
    :param change: The change, as the present state of the account asks for it.
    :param match: What the row and its instance are now.
    """

    number: int
    change: Change
    match: Match


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a change ended.

    :param number: Its place in the plan.
    :param instance_id: Id of the instance that it made or changed.
    :param error: Why it failed; ``None`` if it did not.
    :param doubt: Whether a create may have taken place although it failed.
    :param created: Whether it made an instance.
    """

    number: int
    instance_id: int | None = None
    error: CloudElementsError | None = None
    doubt: bool = False
    created: bool = False

    @property
    def may_pass(self) -> bool:
        """Whether a later try can end differently."""
        return self.error is not None and (self.doubt or may_pass(self.error))


#: How often a change goes out that the platform refused because of too many calls.
_TRIES = 8


class _DoubtError(Exception):
    """A create failed, and may have taken place."""

    def __init__(self, error: CloudElementsError) -> None:
        super().__init__()
        self.error = error


class Hands:
    """Carries out changes, each in one thread.

    :param instances: The account's instances.
    :param gate: Bounds how many call at once.
    :param settle_time: Seconds to find out whether a write in doubt took place. Default: the connection's
        ``create_timeout``.
    """

    def __init__(self, instances: InstancesApi, gate: Gate, settle_time: float | None = None) -> None:
        self._instances = instances
        self._gate = gate
        self.settle_time = settle_seconds(instances.http.settings, settle_time)

    def carry_out(self, task: Task) -> Outcome:
        """Carry out a change. This method raises nothing that concerns one instance only.

        :param task: The change.
        """
        for left in reversed(range(_TRIES)):
            try:
                with self._gate.passing():
                    return self._once(task)
            except CloudElementsError as error:
                # A refused call changed nothing: the gate makes the pause, and then it goes out again.
                if left and isinstance(error, CloudElementsRateLimitError):
                    continue
                return Outcome(
                    task.number, task.change.instance_id, error, isinstance(error.__cause__, _DoubtError)
                )
        raise AssertionError("the last try returns")  # pragma: no cover

    def _once(self, task: Task) -> Outcome:
        change, match = task.change, task.match
        if change.kind in (Kind.DELETE, Kind.REPLACE):
            self._instances.delete(_id_of(match))
        if change.kind is Kind.DELETE:
            return Outcome(task.number, change.instance_id)
        wanted = match.wanted
        if wanted is None:
            raise AssertionError("only a delete has no row")  # pragma: no cover
        if change.kind in (Kind.CREATE, Kind.REPLACE):
            made = self._create(wanted)
            return Outcome(task.number, made.id, _read_back(wanted, made), created=True)
        return Outcome(task.number, change.instance_id, self._write(wanted, match))

    def _create(self, wanted: Wanted) -> Instance:
        """Make an instance with one call."""
        spec = wanted.to_create
        doubt: CloudElementsError | None = None
        try:
            made = self._instances.create(
                element=spec.element,
                name=spec.name,
                configuration=spec.configuration,
                tags=wanted.tags_to_create,
                external_authentication=spec.external_authentication,
                with_token=False,
            )
        except CloudElementsError as error:
            if not may_have_acted(error):
                raise
            doubt = error
        if doubt is not None:
            raise doubt from _DoubtError(doubt)
        if wanted.row.state == DISABLED:
            self._instances.disable(made.id)
        return made

    def _write(self, wanted: Wanted, match: Match) -> CloudElementsError | None:
        """Write what differs. Return an error if the instance does not show it afterwards."""
        instance, difference = match.instance, match.compared.difference
        if instance is None:
            raise AssertionError("a change in place has an instance")  # pragma: no cover
        difference = difference or Difference()
        if wanted.row.state == DISABLED:
            final = write(self._instances, instance, difference) if difference.names else instance
            if not instance.disabled:
                self._instances.disable(instance.id)
            return None if final is instance else _read_back(wanted, final)
        writer = Writer(self._instances, wanted.fingerprints, CallMemory(), self.settle_time)
        final = writer.give(instance, difference, lambda each: each.healthy)
        return _read_back(wanted, final)


def _id_of(match: Match) -> int:
    if match.kept is None:
        raise AssertionError("what is deleted exists")  # pragma: no cover
    return match.kept


def _read_back(wanted: Wanted, instance: Instance) -> CloudElementsError | None:
    """Return an error if an instance, as an answer shows it, lacks event settings that were written."""
    if wanted.spec is None or not instance.complete:
        return None  # the reading at the end shows it
    try:
        check_read_back(instance, wanted.spec.configuration, IN_FIELDS)
    except CloudElementsError as error:
        error.final = True
        return error
    return None
