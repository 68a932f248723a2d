"""Records of a vendor: a create that a retry does not repeat, and how many records a task takes."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from airflow_provider_cloudelements.client.ceql import plain_field
from airflow_provider_cloudelements.client.resources import InstanceClient
from airflow_provider_cloudelements.client.wire.doubt import looks, may_have_acted
from airflow_provider_cloudelements.client.wire.request import bare
from airflow_provider_cloudelements.exceptions import (
    CloudElementsConflictError,
    CloudElementsError,
    CloudElementsValidationError,
)

log = logging.getLogger(__name__)

#: The largest whole number that every JSON reader keeps digit by digit (RFC 8259, section 6).
_LARGEST_INTEGER = 2**53 - 1


def create_once(
    instance: InstanceClient,
    path: str | Sequence[str | int],
    record: Mapping[str, Any],
    field: str,
    *,
    settle_time: float,
    params: Mapping[str, Any] | None = None,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> tuple[Any, bool]:
    """Create a record, unless it is there already.

    The platform has no idempotency key. So ``field`` must hold a value that no other record has, such as an
    external id or a run's id. This looks for it before it sends the create: an earlier try may have sent one.
    If the answer of the create is lost, the server may still be at work. So this looks for the record until
    ``settle_time`` is over, and sends nothing more. Only a later try may do so, after its own look-up.

    :param instance: The instance.
    :param path: The object, such as ``/contacts``, or its parts in a list.
    :param record: The record's fields.
    :param field: The field of the record by which to find it.
    :param settle_time: Seconds to look for the record of a create in doubt.
    :param params: Query of the create.
    :param sleep: Makes the pauses.
    :param clock: Returns the time in seconds.
    :return: The record, and whether this call made it.
    :raises CloudElementsConflictError: Several records have the field's value, or records came back for it
        that do not have it letter by letter. Nothing was sent.
    :raises CloudElementsError: The create failed, or nobody knows whether it did.
    """
    value = bare(record.get(plain_field("idempotent_by", field)))
    if not isinstance(value, str | int) or isinstance(value, bool) or value == "":
        raise CloudElementsValidationError(
            f"idempotent_by names the field {field!r}, and the record must hold a text or a number in it."
        )
    if isinstance(value, int) and abs(value) > _LARGEST_INTEGER:
        raise CloudElementsValidationError(
            f"idempotent_by names the field {field!r}, and the record holds a number beyond 2**53 - 1 in it. "
            "Many programs round it, so no look-up would find the record: give a text of its digits."
        )

    def look_up() -> Any | None:
        return _look_up(instance, path, field, value)

    if (found := look_up()) is not None:
        return found, False
    try:
        return instance.request("POST", path, params=params, body=dict(record)), True
    except CloudElementsError as error:
        if not may_have_acted(error):
            raise
        doubt = error
    # Outside the handler, so that the doubt does not become the context of a failed look-up.
    log.warning("It is not known whether the record was made. Looking for it for %.0f s.", settle_time)
    for _ in looks(settle_time, sleep, clock):
        try:
            found = look_up()
        except CloudElementsError as error:
            # Also if no retry helps: the next try must not begin while the server may still be at work.
            log.warning("The look-up failed: %s", error)
            continue
        if found is not None:
            log.info("The answer of the create was lost; the record is there.")
            return found, True
    doubt.advise(
        "It is not known whether the record was made. A later try looks for it before it sends anything."
    )
    raise doubt


def _look_up(
    instance: InstanceClient, path: str | Sequence[str | int], field: str, value: str | int
) -> Any | None:
    """Return the only record that has a value in a field.

    :raises CloudElementsConflictError: There are several, or only others came back. A vendor may trim a
        value, write it in another way or leave the field out of its answer, so one of these may be the
        record. It may also not heed the query.
    """
    found: list[Any] = []
    others = 0
    for each in instance.records(path, where={field: value}):
        if isinstance(each, Mapping) and _has(each.get(field), value):
            found.append(each)
        else:
            others += 1
    if len(found) > 1:
        raise CloudElementsConflictError(
            f"{len(found)} records have the value of the field {field!r}, by which idempotent_by looks. "
            "Name a field whose values are unique."
        )
    if others and not found:
        raise CloudElementsConflictError(
            f"The look-up by the field {field!r} (idempotent_by) gave {others} records, and none has the "
            "value letter by letter. One of them may be this record, if the vendor changes the value or does "
            "not return the field. So it was not created. Name a field that the vendor keeps and returns as "
            "it is sent, and by which it filters."
        )
    return found[0] if found else None


def _has(held: Any, value: str | int) -> bool:
    """Return whether a record holds a value, letter by letter. A number may come back as its digits."""
    return isinstance(held, str | int) and not isinstance(held, bool) and str(held) == str(value)


def capped(records: Iterator[Any], most: int) -> Iterator[Any]:
    """Yield records, and fail if there are too many.

    :param records: The records.
    :param most: The most of them.
    :raises CloudElementsValidationError: There are more.
    """
    for number, record in enumerate(records):
        if number == most:
            raise CloudElementsValidationError(
                f"There are more than {most} records (max_records). Narrow the query, or raise max_records."
            )
        yield record
