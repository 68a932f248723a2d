"""Instances of a list, decoded straight from the bytes of a page."""

from __future__ import annotations

from typing import Any

import msgspec

from airflow_provider_cloudelements.client.frozen import maker
from airflow_provider_cloudelements.client.models import Instance, callback_url
from airflow_provider_cloudelements.client.parsing import optional_id, parse_bool, parse_date, parse_id
from airflow_provider_cloudelements.client.shapes import Date, InstanceId, Shape, Text
from airflow_provider_cloudelements.client.wire.decoding import decode_as
from airflow_provider_cloudelements.keys import EVENTS_ENABLED


class _ElementShape(Shape, frozen=True, gc=False):
    """What an instance shows of its element."""

    key: Text = None
    id: InstanceId = None


class InstanceShape(Shape, frozen=True, gc=False):
    """What a comparison needs of an instance in a list. Its token is not among that."""

    id: InstanceId
    name: Text = None
    element: _ElementShape | None = None
    element_id: InstanceId = None
    tags: tuple[str, ...] | None = None
    valid: bool | None = None
    disabled: bool | None = None
    created_date: Date = None
    events_enabled: bool | None = None
    events_notification_callback_url: Text = None
    external_authentication: Text = None
    configuration: dict[str, str | None] | None = None


_PAGE = msgspec.json.Decoder(list[InstanceShape])
#: The platform gives the same few keys to each instance of an element.
_make = maker(Instance)


def read_page(content: bytes) -> list[InstanceShape] | Any:
    """Decode a page of instances: to shapes if all of it has them, else to plain JSON.

    :raises ValueError: It is not JSON.
    :raises RecursionError: It is nested too deeply.
    """
    return decode_as(_PAGE, content)


def parse_row(row: Any) -> Instance:
    """Read a row of a page as :meth:`Instance.parse` does, without its token.

    :param row: A shape, or plain JSON.
    :raises CloudElementsServerError: The row is no instance.
    """
    if not isinstance(row, InstanceShape):
        return Instance.parse(row)
    element = row.element
    configuration = row.configuration or {}
    enabled = row.events_enabled
    return _make(
        row.id if isinstance(row.id, int) else parse_id(row.id, "instance"),
        row.name or "",
        (element.key if element is not None else None) or "",
        (optional_id(element.id) if element is not None else None) or optional_id(row.element_id),
        None,
        row.tags or (),
        row.valid is not False,
        row.disabled is True,
        parse_date(row.created_date),
        parse_bool(configuration.get(EVENTS_ENABLED)) if enabled is None else enabled,
        callback_url(row.events_notification_callback_url, configuration),
        row.external_authentication,
        configuration,
        # Without its element's key, an instance would look like one of another element.
        row.configuration is not None
        and row.tags is not None
        and row.disabled is not None
        and bool(element and element.key),
    )
