"""Which resources each element has, and what their records look like."""

from __future__ import annotations

from airflow_provider_cloudelements.sandbox.elements.catalogue import Element
from airflow_provider_cloudelements.sandbox.vendors import crm, helpdesk, microsoft, pipedrive
from airflow_provider_cloudelements.sandbox.vendors.records import Table
from airflow_provider_cloudelements.sandbox.vendors.shapes import Record, Shape

_SHAPES: dict[str, dict[str, Shape]] = {
    "microsoftgraph": microsoft.SHAPES,
    "sfdc": crm.SFDC,
    "closeio": crm.CLOSEIO,
    "hubspotcrm": crm.HUBSPOTCRM,
    "pipedrive": pipedrive.SHAPES,
    "jira": helpdesk.SHAPES,
}
#: Resources that belong to one record of another (fact F331): element, the other resource and its own name,
#: and the field that holds the other record's id, or None where the vendor shows none.
_NESTED: dict[tuple[str, str, str], str | None] = {
    ("microsoftgraph", "calendars", "events"): None,
    ("closeio", "accounts", "activities"): "lead_id",
    ("closeio", "accounts", "notes"): "lead_id",
}


def _anything(number: int) -> Record:
    return {"name": f"Record {number}"}


_ANYTHING = Shape(_anything)


def shape_of(element: Element, name: str) -> Shape:
    """Return what the records of a resource look like (choice C322).

    :param element: the element.
    :param name: the resource's name.
    """
    return _SHAPES.get(element.key, {}).get(element.object_named(name) or name, _ANYTHING)


def nested_of(element: Element, name: str) -> list[str]:
    """Return the names of the resources that belong to a record of a resource.

    :param element: the element.
    :param name: the resource's name.
    """
    return [inner for key, outer, inner in _NESTED if (key, outer) == (element.key, name)]


class Tables:
    """The records of all resources of one instance, each made at its first use."""

    def __init__(self) -> None:
        self._tables: dict[tuple[str, ...], Table] = {}

    def clear(self) -> None:
        """Forget all records."""
        self._tables.clear()

    def of(self, element: Element, name: str, count: int) -> Table | None:
        """Return the records of a resource, or None if the element has no such resource.

        :param element: the instance's element.
        :param name: the resource's name.
        :param count: how many records it begins with.
        """
        own = element.object_named(name)
        return None if own is None else self._made((element.key, own), shape_of(element, own), count)

    def within(self, element: Element, outer: str, record_id: str, name: str, count: int) -> Table | None:
        """Return the records that belong to one of another resource, or None if there are no such.

        :param element: the instance's element.
        :param outer: the other resource's name.
        :param record_id: the id of a record of it.
        :param name: the resource's name.
        :param count: how many records each resource begins with.
        """
        table = self.of(element, outer, count)
        if table is None or (element.key, outer, name) not in _NESTED:
            return None
        number = table.number_of(record_id)
        if number is None:
            return None
        if element.key == "microsoftgraph" and number == 1:
            return self.of(element, name, count)  # the calendar whose events are /events
        field = _NESTED[element.key, outer, name]
        inside = shape_of(element, name).within(field, number if field is None else table.shape.id_of(number))
        return self._made((element.key, outer, record_id, name), inside, count)

    def _made(self, key: tuple[str, ...], shape: Shape, count: int) -> Table:
        if key not in self._tables:
            self._tables[key] = Table(shape, count)
        return self._tables[key]

    def fill(self, element: Element, name: str, count: int) -> Table | None:
        """Give a resource so many generated records, in place of those that it has.

        :param element: the instance's element.
        :param name: the resource's name.
        :param count: how many.
        """
        self._tables.pop((element.key, element.object_named(name) or name), None)
        return self.of(element, name, count)

    def held(self, element: Element, name: str) -> Table | None:
        """Return the records of a resource that was used before, or None.

        :param element: the instance's element.
        :param name: the resource's name.
        """
        return self._tables.get((element.key, name))
