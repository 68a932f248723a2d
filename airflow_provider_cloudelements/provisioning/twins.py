"""Report the younger instances of a key, and delete them if that is wanted."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_cloudelements.client.models import Instance
from airflow_provider_cloudelements.exceptions import CloudElementsError

if TYPE_CHECKING:
    from airflow_provider_cloudelements.client.instances import InstancesApi

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Twins:
    """Deal with the instances of one key beside the oldest.

    :param instances: The account's instances.
    :param key: The key, for messages.
    :param delete: Whether to delete them.
    """

    instances: InstancesApi
    key: str
    delete: bool

    def report(self, found: Iterable[Instance], kept: Instance) -> tuple[int, ...]:
        """Report, and perhaps delete, all instances but the one that is kept.

        :param found: All instances of the key.
        :param kept: The oldest.
        :return: The ids of the others.
        :raises CloudElementsError: A delete failed.
        """
        twins = tuple(sorted({each.id for each in found} - {kept.id}))
        if not twins:
            return ()
        log.warning("Instance %d of %r is kept; it has twins: %s.", kept.id, self.key, twins)
        if self.delete:
            for twin in twins:
                self.instances.delete(twin)
            log.info("Deleted %s.", twins)
        return twins

    @contextmanager
    def reporting_loss(self, made: Instance | None) -> Iterator[None]:
        """Report, and perhaps delete, what this task made, if an error ends the block.

        :param made: The instance that this task made, and that is a twin; ``None`` if there is none.
        """
        try:
            yield
        except BaseException:
            if made is not None:
                self._report_loss(made)
            raise

    def _report_loss(self, made: Instance) -> None:
        log.warning("Instance %d, which this task made for %r, is a twin.", made.id, self.key)
        if self.delete:
            try:
                self.instances.delete(made.id)
                log.info("Deleted instance %d.", made.id)
            except CloudElementsError as error:
                log.warning("Instance %d could not be deleted: %s", made.id, error)
