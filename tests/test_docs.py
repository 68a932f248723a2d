"""What the README and the docs say is true: names exist, samples run, pictures and links are there."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from airflow_provider_cloudelements import exceptions
from airflow_provider_cloudelements.connection_form import CONNECTION_FIELDS, ELEMENT_FIELDS
from airflow_provider_cloudelements.connections import ConnectionSettings, ElementSettings

ROOT = Path(__file__).resolve().parents[1]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "constraints" / "README.md"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


def test_the_index_lists_each_page():
    index = (ROOT / "docs" / "index.md").read_text()
    listed = re.findall(r"^- \[[^\]]+\]\(([^)#]+)\): \S", index, flags=re.MULTILINE)
    assert len(listed) == len(set(listed)) >= 15
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"index.md"}
    assert pages - set(listed) == set()


def test_every_field_of_a_connection_is_described():
    text = (ROOT / "docs" / "connections.md").read_text()
    for field in (*CONNECTION_FIELDS, *ELEMENT_FIELDS):
        assert f"| `{field.name}` |" in text, field.name
        assert field.description in text, field.name


def test_every_error_is_described():
    text = (ROOT / "docs" / "operators.md").read_text()
    for name in vars(exceptions):
        if name.startswith("CloudElements"):
            assert f"`{name}`" in text, name


@pytest.mark.parametrize("page", ["README.md", "docs/connections.md"])
def test_the_connections_in_the_docs_are_well_formed(page):
    from airflow.sdk import Connection

    samples = re.findall(r"(\{\n  \"conn_type\".*?\n\})", (ROOT / page).read_text(), flags=re.DOTALL)
    assert samples
    for sample in samples:
        fields = json.loads(re.sub(r"<([A-Z_]+)>", r"\1", sample))
        connection = Connection(conn_id="sample", **{**fields, "extra": json.dumps(fields["extra"])})
        kind = ConnectionSettings if fields["conn_type"] == "cloudelements" else ElementSettings
        assert kind.from_connection(connection)
