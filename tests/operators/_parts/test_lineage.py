"""What operators say of the files that they wrote, by what a run with OpenLineage does not show."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import SimpleNamespace

import pytest
from airflow.sdk import Asset, AssetAlias

from airflow_provider_cloudelements.client.bulk import BulkApi
from airflow_provider_cloudelements.operators._parts import lineage
from airflow_provider_cloudelements.operators.bulk import CloudElementsDownloadBulkOperator
from airflow_provider_cloudelements.operators.records import CloudElementsCallResourceOperator
from tests.support.context import context_of
from tests.support.platform import WAYS


class Events(Mapping):
    """The events of a task's outlets, as Airflow gives them to a running task."""

    def __init__(self):
        self.made = {}

    def __getitem__(self, outlet):
        return self.made.setdefault(outlet.name, SimpleNamespace(extra={"own": 1}))

    def __iter__(self):
        return iter(self.made)

    def __len__(self):
        return len(self.made)


@pytest.fixture
def number(person):
    return person.make("basic")


@pytest.fixture
def switched_on(monkeypatch):
    monkeypatch.setattr(lineage, "_openlineage_is_on", lambda: True)


def call(tmp_path, **arguments):
    operator = CloudElementsCallResourceOperator(
        **{
            "task_id": "call",
            "path": "/hubs/crm/leads",
            "paginate": True,
            "max_xcom_records": 0,
            "output_path": f"file://{tmp_path}/leads.jsonl",
            **arguments,
        }
    )
    events = Events()
    operator.execute({**context_of(), "outlet_events": events})
    return operator, events


def test_the_event_of_each_outlet_keeps_what_it_held_and_an_alias_gets_none(sandbox, number, tmp_path):
    outlets = [Asset("leads"), Asset("more"), AssetAlias("alias")]
    _, events = call(tmp_path, instance_id=number, outlets=outlets)
    assert set(events.made) == {"leads", "more"}
    extra = events.made["leads"].extra
    assert (extra["own"], extra["instance_id"], extra["object"]) == (1, number, "leads")
    assert (extra["rows"], extra["path"]) == (3, f"file://{tmp_path}/leads.jsonl")


def test_without_openlineage_nobody_asks_for_the_element(sandbox, number, tmp_path, person):
    token = person.show(number)["token"]
    before = len(sandbox.requests())
    operator, _ = call(tmp_path, instance_id=number, token=token)
    assert {each["path"] for each in sandbox.requests()[before:]} == {"/hubs/*/leads"}
    assert operator.get_openlineage_facets_on_complete(None).outputs == []


def test_with_it_the_datasets_are_named(sandbox, number, tmp_path, switched_on):
    operator, _ = call(tmp_path, instance_id=number)
    told = operator.get_openlineage_facets_on_complete(None)
    assert [(each.namespace, each.name) for each in told.inputs] == [
        (f"cloudelements://{sandbox.url.removeprefix('http://')}", f"{WAYS['basic'][0]}/leads")
    ]
    assert [(each.namespace, each.name) for each in told.outputs] == [("file", f"{tmp_path}/leads.jsonl")]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/leads", "leads"),
        ("/hubs/crm/leads", "leads"),
        ("//hubs/crm/leads/5/notes", "leads/5/notes"),
        (["leads", "a/b"], "leads/a%2Fb"),
        ("/hubs/crm", "hubs/crm"),
        ("/hubs", "hubs"),
    ],
)
def test_an_object_is_named_without_its_hub(path, name):
    assert lineage.object_of(path) == name


@pytest.mark.parametrize(
    ("query", "name"),
    [("select id from leads where city=' from x'", "leads"), ("select id from leads as leads", None)],
    ids=["sure", "unsure"],
)
def test_a_query_names_the_object_where_it_is_sure(
    sandbox, number, tmp_path, switched_on, monkeypatch, query, name
):
    operator = CloudElementsDownloadBulkOperator(
        task_id="download",
        instance_id=number,
        query=query,
        path=f"file://{tmp_path}/leads.csv",
        outlets=[Asset("leads")],
        deferrable=False,
    )
    # The sandbox reads no query but those of the documents.
    monkeypatch.setattr(
        BulkApi, "start_query", lambda bulk, _: bulk.start_download("leads", file_format="csv")
    )
    events = Events()
    operator.execute({**context_of(), "outlet_events": events})
    assert events.made["leads"].extra["object"] == name
    told = operator.get_openlineage_facets_on_complete(None)
    assert [each.name for each in told.inputs] == ([f"{WAYS['basic'][0]}/{name}"] if name else [])
    assert len(told.outputs) == 1


def test_an_object_in_a_bucket_is_named_by_its_key():
    path = SimpleNamespace(namespace="s3://bucket", bucket="bucket", key="a/leads.jsonl", path="bucket/a")
    written = lineage.WrittenFile(1, "leads", 3, path, 5, "00")
    (output,) = lineage._outputs(written, lineage._file(written))
    assert (output.namespace, output.name) == ("s3://bucket", "a/leads.jsonl")


def test_an_element_that_nobody_can_name_costs_the_dataset_and_not_the_file(
    sandbox, number, tmp_path, switched_on, person
):
    token = person.show(number)["token"]
    operator, _ = call(tmp_path, token=token)
    assert operator.get_openlineage_facets_on_complete(None).inputs == []
    sandbox.add_fault("status", status=500, path=f"/instances/{number}", count=None)
    operator, _ = call(tmp_path, instance_id=number, token=token)
    told = operator.get_openlineage_facets_on_complete(None)
    assert (told.inputs, len(told.outputs)) == ([], 1)


def test_without_the_provider_there_are_no_facets(sandbox, number, tmp_path, monkeypatch):
    for name in [each for each in sys.modules if each.startswith("airflow.providers.openlineage")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "airflow.providers.openlineage", None)
    operator, _ = call(tmp_path, instance_id=number)
    assert operator.get_openlineage_facets_on_complete(None) is None
