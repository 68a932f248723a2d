"""The tables of arguments: each operator, sensor and asset has one, as signature and docstring say."""

from __future__ import annotations

import datetime
import inspect
import re
from collections.abc import Mapping
from typing import Any

import pytest
from airflow.sdk import BaseOperator

pytest.importorskip("airflow.sdk.definitions.retry_policy", reason="the pages are of Airflow 3.3")

from scripts import docs
from scripts.docs_arguments import ArgumentsError, rows, table_of
from scripts.public_names import homes, modules


def described() -> list[str]:
    """Return the public names whose arguments a page has to list."""
    found = []
    for name, module in homes().items():
        thing = getattr(modules()[module], name)
        is_operator = inspect.isclass(thing) and issubclass(thing, BaseOperator)
        is_asset = inspect.isfunction(thing) and thing.__annotations__.get("return") == "Asset"
        if is_operator or is_asset or name == "element_instance":
            found.append(name)
    return found


def test_each_operator_sensor_and_asset_has_its_table_below_its_heading():
    sections = [
        (part.partition("\n")[0], part)
        for page in docs.pages()
        for part in re.split(r"^#+ ", page.read_text(), flags=re.MULTILINE)[1:]
    ]
    names = described()
    assert len(names) >= 18
    assert {"CloudElementsEventSensor", "cloudelements_event_asset", "webhook_asset_of_element"} <= set(names)
    assert [
        name
        for name in names
        if not any(
            re.search(rf"\b{name}\b", heading) and f"{docs.START}{docs.ARGUMENTS}{name} -->" in text
            for heading, text in sections
        )
    ] == []


def test_each_operator_sensor_and_asset_has_code_in_its_section():
    """Parts of examples run in the tests of the examples, other blocks in those of the pages."""
    sections = [
        part
        for page in docs.pages()
        if page.name != "README.md"
        for part in re.split(r"^## ", page.read_text(), flags=re.MULTILINE)[1:]
    ]
    for name in described():
        found = [part for part in sections if f"{docs.START}{docs.ARGUMENTS}{name} -->" in part]
        assert len(found) == 1, name
        assert "```python\n" in found[0], name


@pytest.mark.parametrize("name", described())
def test_a_table_can_be_made(name):
    head, lines = table_of(name)
    assert len(lines) >= 2
    assert {len(line) for line in lines} == {len(head)}
    assert all(line[1] for line in lines)


class Base:
    def __init__(self, *, conn_id: str = "a_conn", **kwargs: Any) -> None: ...


Base.__module__ = "airflow_provider_cloudelements.planted"


class Thing(Base):
    """Do a thing.

    :param what: What to do,
        as :meth:`~airflow_provider_cloudelements.planted.Base.x` says (fact F12). Templated.
    :param often: How often. Default: 1,000. It may be more.
    :param age: Least age. Default: the age of :class:`Base`; ``None`` is none. Templated.
    :param conn_id: The connection.
    :param kwargs: The rest.
    """

    template_fields = ("what", "age")

    def __init__(
        self,
        what: Mapping[str, int] | None,
        often: int = 1000,
        age: datetime.timedelta | None = None,
        **kwargs: Any,
    ) -> None: ...


Thing.__module__ = "airflow_provider_cloudelements.planted"


def test_a_table_joins_signature_docstring_and_template_fields():
    assert list(rows(Thing)) == [
        ("what", "Mapping[str, int] | None", "required", True, "What to do, as `x` says."),
        ("often", "int", "1,000", False, "How often. It may be more."),
        ("age", "datetime.timedelta", "the age of `Base`; `None` is none", True, "Least age."),
        ("conn_id", "str", '`"a_conn"`', False, "The connection."),
        ("**kwargs", "", "", False, "The rest."),
    ]


@pytest.mark.parametrize(
    ("right", "wrong", "reason"),
    [
        (":param often: How often. Default: 1,000. It may be more.\n", "", "no :param: for often"),
        (":param kwargs:", ":param args:", "does not take: args"),
        ("is none. Templated.", "is none.", "age is a template field, and its :param: says otherwise"),
        ("may be more.", "may be more. Templated.", "often is no template field"),
        ("Default: 1,000.", "Default: 100.", "the default of often is 1000, not 100"),
    ],
)
def test_what_does_not_agree_is_refused(monkeypatch, right, wrong, reason):
    text = inspect.getdoc(Thing)
    assert right in text
    monkeypatch.setattr(Thing, "__doc__", text.replace(right, wrong))
    with pytest.raises(ArgumentsError, match=re.escape(reason)):
        list(rows(Thing))


def test_a_name_that_is_not_public_is_refused():
    with pytest.raises(ArgumentsError, match="nothing public is called Gone"):
        table_of("Gone")
    with pytest.raises(docs.DocsError, match="nothing public is called Gone"):
        docs.arguments("Gone")
