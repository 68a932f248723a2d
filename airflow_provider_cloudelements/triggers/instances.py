"""Wait for an element instance: the trigger, and the calls that the poll hub makes for it."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, TypeGuard

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_cloudelements.client.instances import InstancesApi
from airflow_provider_cloudelements.client.models import Instance
from airflow_provider_cloudelements.client.target import Target
from airflow_provider_cloudelements.client.view import returned
from airflow_provider_cloudelements.exceptions import (
    CloudElementsError,
    CloudElementsNotFoundError,
    CloudElementsServerError,
)
from airflow_provider_cloudelements.provisioning.health import Checkup, check
from airflow_provider_cloudelements.triggers.account import Account, NobodyWaits, Session
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

__all__ = ["CloudElementsInstanceTrigger"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class InstanceLook:
    """Say which instance a waiter waits for.

    :param target: The instance.
    :param ready: Whether it must work, and not only exist.
    """

    target: Target
    ready: bool


#: The instance of the wait, or the check that says what is still wrong with it.
InstanceNews = Instance | Checkup
_InstanceWaiter = Waiter[InstanceLook, InstanceNews]
_InstanceAnswer = Answer[InstanceLook, InstanceNews]


class InstanceWait(Kind[InstanceLook, InstanceNews]):
    """Wait for instances by one list of the account a tick, or singly if that takes no more calls.

    If an instance exists and must be ready, the hub pings it once a tick, however many waiters it has. It
    keeps tokens from the list to the ping, inside one tick.
    """

    name: ClassVar[str] = "instances"

    def __init__(self) -> None:
        #: Pages of the last full list.
        self._pages = 1
        #: Instances that did not work at the last tick.
        self._unwell: set[int] = set()
        self._told_of_rows = False
        #: Whether the last list failed, and whether the log says so.
        self._list_fails = self._told_of_list = False

    def ask(
        self, account: Account, waiters: Sequence[_InstanceWaiter]
    ) -> Iterator[Sequence[_InstanceAnswer]]:
        """Look all targets up, then ping those that exist and must be ready."""
        waiting: dict[Target, list[_InstanceWaiter]] = defaultdict(list)
        for waiter in waiters:
            waiting[waiter.look.target].append(waiter)
        with_tokens = any(waiter.look.ready for waiter in waiters)
        there: dict[int, Instance] = {}
        pinged_for: dict[int, list[_InstanceWaiter]] = defaultdict(list)
        passing: CloudElementsError | None = None
        for target, found in self._look_up(account, waiting, with_tokens):
            if isinstance(found, Exception):
                if (fault := passing_fault(found)) is not None:
                    passing = passing if isinstance(fault, NobodyWaits) else fault
                else:
                    yield [Answer(waiter, found) for waiter in waiting[target]]
            elif found is not None:
                there[found.id] = found
                shown = replace(found, token=None)
                pinged_for[found.id] += [waiter for waiter in waiting[target] if waiter.look.ready]
                yield [Answer(waiter, shown) for waiter in waiting[target] if not waiter.look.ready]
        pings = [there[each] for each, those in pinged_for.items() if those]
        # Ping instances that did not work last time at the end: they may use their whole time-out again.
        pings.sort(key=lambda instance: instance.id in self._unwell)

        def ping(instance: Instance) -> Checkup | None:
            return check(InstancesApi(session_for(account, pinged_for[instance.id])), instance)

        for instance, checkup in account.each(ping, pings):
            if isinstance(checkup, Exception):
                if (fault := passing_fault(checkup)) is not None:
                    passing = passing if isinstance(fault, NobodyWaits) else fault
                else:
                    yield [Answer(waiter, checkup) for waiter in pinged_for[instance.id]]
            elif checkup is not None:
                yield self._judged(checkup, pinged_for[instance.id])
        if passing is not None:
            raise passing

    def _look_up(
        self, account: Account, waiting: dict[Target, list[_InstanceWaiter]], with_tokens: bool
    ) -> Iterator[tuple[Target, Instance | Exception | None]]:
        targets = list(waiting)
        answers = True
        if len(targets) > self._pages:
            listed = self._list(account, targets, with_tokens)
            if listed is None:
                answers = False
            else:
                missing = []
                for target in targets:
                    try:
                        yield target, target.look_up(listed)
                    except CloudElementsNotFoundError:
                        missing.append(target)
                    except Exception as error:
                        yield target, error
                # A list may be late. Only a look-up of the id itself shows that an instance is gone.
                targets = missing

        failed: list[CloudElementsError] = []

        def look_up(target: Target) -> Instance | None:
            if failed and not answers:
                raise failed[0]  # not only the list fails: a thousand more calls would as well
            try:
                return target.look_up(_Singly(session_for(account, waiting[target]), with_tokens))
            except CloudElementsError as error:
                if _may_pass(error):
                    failed.append(error)
                raise

        for target, found in account.each(look_up, targets):
            if not answers and _may_pass(found):
                raise found
            answers = answers or not isinstance(found, Exception)
            yield target, found

    def _list(self, account: Account, targets: Sequence[Target], with_tokens: bool) -> _Listed | None:
        """List the account; return ``None`` if that fails for good, so that each target is looked up itself.

        :raises CloudElementsError: The failure concerns all calls, or it is the first and may pass.
        """
        try:
            listed = _Listed(account.session(), targets, with_tokens)
        except CloudElementsError as error:
            first, self._list_fails = not self._list_fails, True
            if error.concerns_account or (first and error.retryable):
                raise
            if not self._told_of_list:
                log.warning("The list of instances fails, so each is looked up by itself: %s", error)
            self._told_of_list = True
            return None
        self._list_fails = self._told_of_list = False
        self._pages = max(1, listed.pages_read)
        self._tell_of_rows(listed.unreadable)
        return listed

    def _judged(self, checkup: Checkup, waiters: list[_InstanceWaiter]) -> Sequence[_InstanceAnswer]:
        """Return the answers of a check. A waiter gets a fault only when it changes."""
        instance = checkup.instance
        if checkup.healthy:
            self._unwell.discard(instance.id)
            return [Answer(waiter, instance) for waiter in waiters]
        self._unwell.add(instance.id)
        changed = [waiter for waiter in waiters if waiter.note != (instance.id, checkup.state)]
        for waiter in changed:
            waiter.note = (instance.id, checkup.state)
        return [Answer(waiter, checkup) for waiter in changed]

    def _tell_of_rows(self, unreadable: int) -> None:
        if unreadable and not self._told_of_rows:
            log.warning("%d entries of the list of instances cannot be read and are left out.", unreadable)
        self._told_of_rows = bool(unreadable)


def _may_pass(found: object) -> TypeGuard[CloudElementsError]:
    return isinstance(found, CloudElementsError) and found.retryable and not isinstance(found, NobodyWaits)


class _Singly(InstancesApi):
    """Look each instance up by itself, and keep its token for the ping.

    :param http: Sends the calls.
    :param with_tokens: Whether the tick pings any instance.
    """

    def __init__(self, http: Session, with_tokens: bool) -> None:
        super().__init__(http)
        self._with_tokens = with_tokens

    def get(self, instance_id: int, *, with_token: bool = False) -> Instance:
        return self.peek(instance_id) if self._with_tokens else super().get(instance_id)

    def list(
        self,
        *,
        tags: Iterable[str] = (),
        element: str | None = None,
        with_tokens: bool = False,
        left_out: Callable[[Any], object] | None = None,
    ) -> Iterator[Instance]:
        return super().list(tags=tags, element=element, with_tokens=self._with_tokens, left_out=left_out)


class _Listed(InstancesApi):
    """Answer like the platform, from one list of the whole account. Keep only the targets of the list.

    :param http: Sends the calls.
    :param targets: The instances to look for.
    :param with_tokens: Whether to keep tokens.
    """

    def __init__(self, http: Session, targets: Iterable[Target], with_tokens: bool) -> None:
        super().__init__(http)
        targets = list(targets)
        tags = {tag for target in targets for tag in target.searched_tags}
        ids = {target.instance_id for target in targets if target.instance_id is not None}
        self._by_id: dict[int, Instance] = {}
        self._by_tag: dict[str, list[Instance]] = defaultdict(list)
        self.unreadable = 0
        for row in http.list_items("/instances"):
            try:
                instance = Instance.parse(row, keep_token=with_tokens)
            except CloudElementsServerError:
                self.unreadable += 1  # most likely not one of the targets: no reason to lose the rest
                continue
            if instance.id in ids:
                self._by_id[instance.id] = instance
            for tag in tags.intersection(instance.tags):
                self._by_tag[tag].append(instance)
        self.pages_read = http.sent

    def get(self, instance_id: int, *, with_token: bool = False) -> Instance:
        if instance_id not in self._by_id:
            raise CloudElementsNotFoundError(f"Instance {instance_id} is not in the list.")
        return self._by_id[instance_id]

    def list(
        self,
        *,
        tags: Iterable[str] = (),
        element: str | None = None,
        with_tokens: bool = False,
        left_out: Callable[[Any], object] | None = None,
    ) -> Iterator[Instance]:
        (tag,) = tags
        for instance in self._by_tag.get(tag, ()):
            if element in (None, instance.element_key):
                yield instance


class CloudElementsInstanceTrigger(HubTrigger, BaseTrigger):
    """Wait until an element instance exists, or works, and report it in one event.

    The event is ``{"status": "success", "instance": {...}}`` with what the sensor returns: no token and no
    configuration; or ``{"status": "error", "kind": ..., "message": ..., "final": ...}`` with the exception's
    class name, and whether no retry can help.

    It needs no ``on_kill``: it makes nothing outside of Airflow. It only has to leave the poll hub, and each
    way out of :meth:`run` does so.

    :param cloudelements_conn_id: Connection of type ``cloudelements``.
    :param name: Name of the instance in messages.
    :param instance_id: Its id, if the task names it by id.
    :param tag: The tag that it has: a person's, or the marker tag of an instance key.
    :param of_key: Whether the tag is a marker.
    :param key_tag: Tag that says which of the instances with the marker are of the key. Default: all are.
    :param former_markers: Markers that an older instance of the key may have instead. Default: none.
    :param element: Accept only an instance of this element's key.
    :param until: ``ready``: it is valid and enabled, and its vendor answers a ping. ``exists``: it exists.
    :param poll_interval: Seconds between two looks, at least 1. Default: 10.
    """

    stored = ("cloudelements_conn_id", "target", "until", "poll_interval")

    def __init__(
        self,
        *,
        cloudelements_conn_id: str,
        name: str,
        instance_id: int | None = None,
        tag: str | None = None,
        of_key: bool = False,
        key_tag: str | None = None,
        former_markers: Sequence[str] = (),
        element: str | None = None,
        until: str = "ready",
        poll_interval: float = 10.0,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow leaves it untyped
        self.cloudelements_conn_id = cloudelements_conn_id
        self.target = Target(
            name,
            instance_id=instance_id,
            tag=tag,
            of_key=of_key,
            key_tag=key_tag,
            former_markers=tuple(former_markers),
            element=element,
        )
        self.until = until
        self.poll_interval = poll_interval_of(poll_interval)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait in the poll hub, then yield the one event."""
        yield await event_of(self._found())

    async def _found(self) -> dict[str, Any]:
        return {"instance": returned(await self._wait())}

    async def _wait(self) -> Instance:
        look = InstanceLook(self.target, ready=self.until == "ready")
        with self.enter(InstanceWait, look) as waiter:
            while True:
                news = await waiter.news()
                if isinstance(news, Instance):
                    return news
                self.log.info("Instance %d is %s. %s", news.instance.id, news.state, news.detail or "")
