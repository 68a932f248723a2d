"""Records of a vendor: a create that a retry does not repeat, and how many records a task takes."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from airflow_provider_cloudelements.client.ceql import where_of
from airflow_provider_cloudelements.client.resources import InstanceClient
from airflow_provider_cloudelements.exceptions import (
    CloudElementsConflictError,
    CloudElementsServerError,
    CloudElementsTransportError,
    CloudElementsValidationError,
)

log = logging.getLogger(__name__)


def create_once(
    instance: InstanceClient,
    path: str | Collection[str | int],
    record: Mapping[str, Any],
    field: str,
    *,
    look_first: bool,
    params: Mapping[str, Any] | None = None,
) -> tuple[Any, bool]:
    """Create a record, unless an earlier try of the same create made it.

    The platform has no idempotency key. So ``field`` must hold a value that no other record has, such as an
    external id or a run's id. If the answer of the create is lost, this looks for the record once. If it does
    not find it, the server may still be at work, so only a later try, which looks first, may send it again.

    :param instance: The instance.
    :param path: The object, such as ``/contacts``, or its parts in a list.
    :param record: The record's fields.
    :param field: The field of the record by which to find it.
    :param look_first: Whether an earlier try may have sent the create.
    :param params: Query of the create.
    :return: The record, and whether this call made it.
    :raises CloudElementsConflictError: Several records have the field's value.
    :raises CloudElementsError: The create failed, or nobody knows whether it did.
    """
    value = record.get(field)
    if not isinstance(value, str | int) or isinstance(value, bool) or value == "":
        raise CloudElementsValidationError(
            f"idempotent_by names the field {field!r}, and the record must hold a text or a number in it."
        )
    where_of({field: value})  # before anything is sent
    if look_first and (found := _look_up(instance, path, field, value)) is not None:
        return found, False
    try:
        return instance.request("POST", path, params=params, body=dict(record)), True
    except (CloudElementsTransportError, CloudElementsServerError) as error:
        if isinstance(error, CloudElementsTransportError) and not error.sent:
            raise
        if (found := _look_up(instance, path, field, value)) is not None:
            log.info("The answer of the create was lost; the record is there.")
            return found, True
        error.advise("The record may still appear. A later try looks for it before it sends it again.")
        raise


def _look_up(
    instance: InstanceClient, path: str | Collection[str | int], field: str, value: str | int
) -> Any | None:
    """Return the only record that has a value in a field."""
    rows = instance.records(path, where={field: value})
    # Filter again: a vendor that ignores the query would give any record.
    found = [each for each in rows if isinstance(each, Mapping) and str(each.get(field)) == str(value)]
    if len(found) > 1:
        raise CloudElementsConflictError(
            f"{len(found)} records have the value of the field {field!r}, by which idempotent_by looks. "
            "Name a field whose values are unique."
        )
    return found[0] if found else None


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
