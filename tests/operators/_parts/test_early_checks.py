"""Arguments of mapped tasks are checked when the DAG is parsed, as far as they are known then."""

from __future__ import annotations

import warnings

import pytest
from airflow.sdk import DAG, TaskGroup, task

from airflow_provider_cloudelements.exceptions import CloudElementsManifestError, CloudElementsValidationError
from airflow_provider_cloudelements.operators.bulk import CloudElementsDownloadBulkOperator as Download
from airflow_provider_cloudelements.operators.bulk import CloudElementsUploadBulkOperator as Upload
from airflow_provider_cloudelements.operators.event_reading import CloudElementsReadEventsOperator as Read
from airflow_provider_cloudelements.operators.event_reading import (
    CloudElementsReconcileEventsOperator as Reconcile,
)
from airflow_provider_cloudelements.operators.fleet import CloudElementsPlanInstancesOperator as Plan
from airflow_provider_cloudelements.operators.record_changes import (
    CloudElementsDownloadChangesOperator as Changes,
)
from airflow_provider_cloudelements.operators.records import CloudElementsCallResourceOperator as Call

DOWNLOAD = {"path": "/x-{{ ti.map_index }}"}
SELECT = "select * from contacts"
REFUSED = (TypeError, ValueError, CloudElementsValidationError)
CHANGES = {"path": "/leads", "updated_field": "date", "output_path": "file:///tmp/x-{{ ti.map_index }}"}


@pytest.fixture(autouse=True)
def dag():
    with DAG("mapped", schedule=None) as dag:
        yield dag


@task
def upstream():
    return []


@pytest.mark.parametrize(
    ("operator", "shared", "mapped", "said"),
    [
        (Call, {"path": "/a", "paginate": True, "method": "POST"}, {"instance_id": [1]}, "must be 'GET'"),
        (Call, {"path": "/a", "output_path": "/x"}, {"instance_id": [1]}, "give paginate=True"),
        (Call, {"path": "/a", "idempotent_by": "x"}, {"instance_id": [1]}, "for method='POST'"),
        (Call, {"paginate": True, "max_xcom_records": 0}, {"path": ["/a"]}, "needs an output_path"),
        (Call, {"path": "/a"}, {"method": ["GET", "TRACE"]}, "method must be one of"),
        (Call, {"path": "/a"}, {"paginate": ["yes"]}, "paginate must be True or False"),
        (Call, {"path": "/a", "paginate": True}, {"method": ["GET", "POST"]}, "method must be 'GET'"),
        (Call, {"path": "/a"}, {"paginate": [False, True], "method": ["GET", "PUT"]}, "must be 'GET'"),
        (Changes, CHANGES, {"first_page": [1, "0"]}, "first_page must be"),
        (Changes, {**CHANGES, "since": "2026-01-01"}, {"start": ["2026-01-01"]}, "give one of them"),
        (Read, {"max_xcom_events": 0}, {"instance_id": [1]}, "needs a path"),
        (Read, {"instance_id": 1, "start": "2026-01-01"}, {"since": ["2026-01-01"]}, "give one of them"),
        (Read, {"instance_id": 1}, {"max_pages": [0]}, "max_pages must be"),
        (Download, DOWNLOAD, {"instance_id": [1]}, "exactly one of object_name and query"),
        (Download, {**DOWNLOAD, "query": SELECT}, {"object_name": ["a"]}, "exactly one of object_name"),
        (Download, {**DOWNLOAD, "query": SELECT}, {"where": [{"a": 1}]}, "where and fields go with object"),
    ],
    ids=[str(number) for number in range(16)],
)
def test_what_does_not_go_together_is_refused(dag, operator, shared, mapped, said):
    with pytest.raises(REFUSED, match=said):
        operator.partial(task_id="task", **shared).expand(**mapped)
    with pytest.raises(REFUSED, match=said):
        operator.partial(task_id="task", **shared).expand_kwargs(
            [{name: values[-1] for name, values in mapped.items()}]
        )
    assert dag.task_ids == []


@pytest.mark.parametrize(
    ("operator", "shared", "mapped"),
    [
        (Call, {"path": "/a", "output_path": "/x-{{ ti.map_index }}"}, {"paginate": [True]}),
        (Call, {"path": "/a", "idempotent_by": "x", "json": {}}, {"method": ["POST"]}),
        (Call, {"path": "/a", "paginate": True, "max_xcom_records": 0}, {"output_path": ["/x", "/y"]}),
        (Changes, CHANGES, {"instance_id": [1], "start": ["2026-01-01", "earliest"]}),
        (Read, {"max_xcom_events": 0, "path": "/x-{{ ti.map_index }}"}, {"instance_id": [1]}),
        (Download, {**DOWNLOAD, "query": ""}, {"object_name": ["a"], "where": [{"a": 1}]}),
        (Download, {**DOWNLOAD, "query": "{{ params.query }}", "where": {"a": 1}}, {"object_name": ["a"]}),
    ],
    ids=[str(number) for number in range(7)],
)
def test_what_goes_together_becomes_a_task(dag, operator, shared, mapped):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # Airflow warns of a partial that nobody expands
        operator.partial(task_id="one", **shared).expand(**mapped)
        operator.partial(task_id="two", **shared).expand_kwargs(
            [{name: each[0] for name, each in mapped.items()}]
        )
    assert dag.task_ids == ["one", "two"]


BULK = {"object_name": "contacts", "path": "/x"}


@pytest.mark.parametrize(
    ("operator", "shared", "name"),
    [
        (Call, {"path": "/a", "paginate": True, "output_path": "/x"}, "output_path"),
        (Changes, {**CHANGES, "output_path": "s3://b/x-{ run_id }"}, "output_path"),
        (Read, {"path": "/x"}, "path"),
        (Reconcile, {"callback_url": "https://a.example", "path": "/x"}, "path"),
        (Download, BULK, "path"),
        (Upload, {**BULK, "errors_path": "/x"}, "errors_path"),
    ],
    ids=[str(number) for number in range(6)],
)
def test_copies_do_not_write_one_file(dag, operator, shared, name):
    wrong = f"^{name} is one file for all copies of the mapped task"
    for instances in ([1, 2], upstream()):
        with pytest.raises(ValueError, match=wrong):
            operator.partial(task_id="one", **shared).expand(instance_id=instances)
    with pytest.raises(ValueError, match=wrong):
        operator.partial(task_id="one", **shared).expand_kwargs(upstream())
    unshared = {key: value for key, value in shared.items() if key != name}
    for paths, instances in ((["/x", "/y"], [1, 2]), (["/x", "/y"], upstream()), (["/x", "/x"], [1])):
        with pytest.raises(ValueError, match=wrong):
            operator.partial(task_id="one", **unshared).expand(**{name: paths, "instance_id": instances})
    with pytest.raises(ValueError, match=wrong):
        operator.partial(task_id="one", **unshared).expand_kwargs(
            [{name: "/x", "instance_id": 1}, {name: "/x", "instance_id": 2}]
        )
    several = {name: "/x-{{ ti.map_index }}"}
    operator.partial(task_id="two", **{**shared, **several}).expand(instance_id=[1, 2])
    operator.partial(task_id="three", **unshared).expand(**{name: ["/x", "/y"], "instance_id": [1]})


ONE, TWO = {"instance_id": 1}, {"instance_id": 2}
OWN = [{**ONE, "path": "/y"}, {**TWO, "path": "/z"}]


def test_a_file_that_one_copy_writes_is_no_shared_one(dag):
    shared = Download.partial(task_id="one", **BULK)
    shared.expand(instance_id=[1])
    Download.partial(task_id="two", **BULK).expand_kwargs([ONE])
    Download.partial(task_id="three", **BULK).expand_kwargs(OWN, strict=False)
    Download.partial(task_id="four", **BULK).expand_kwargs([*OWN, {"instance_id": 3}], strict=False)
    Download.partial(task_id="five", **BULK).expand_kwargs(upstream(), strict=False)
    assert dag.task_ids == ["one", "two", "three", "four", "upstream", "five"]
    with pytest.raises(ValueError, match=r"^path is one file for all copies"):
        Download.partial(task_id="six", **BULK).expand_kwargs([*OWN, ONE, TWO], strict=False)
    with pytest.raises(ValueError, match=r"^path is one file for all copies"):
        Download.partial(task_id="six", **BULK).expand(instance_id=[1], where=[{"a": 1}, {"a": 2}])


def test_the_default_arguments_of_dag_and_group_count_as_in_each_copy():
    given = {"method": "POST", "path": "/x", "object_name": "contacts"}
    with DAG("given", schedule=None, default_args=given) as dag:
        Call.partial(task_id="one", idempotent_by="x").expand(json=[{}, {}])
        with TaskGroup("group", default_args={"method": "GET", "paginate": True}):
            Call.partial(task_id="two", max_xcom_records=0).expand(output_path=["/y", "/z"])
            with pytest.raises(ValueError, match="for method='POST'"):
                Call.partial(task_id="no", idempotent_by="x").expand(json=[{}, {}])
        Download.partial(task_id="three").expand(path=["/y", "/z"])
        Download.partial(task_id="four").expand_kwargs(OWN)
        Download.partial(task_id="five").expand_kwargs(upstream())
        with pytest.raises(ValueError, match=r"^path is one file for all copies"):
            Download.partial(task_id="no").expand(instance_id=[1, 2])
    assert dag.task_ids == ["one", "group.two", "three", "four", "upstream", "five"]


def test_a_dag_may_have_signs_of_its_own_for_templates():
    signs = {"variable_start_string": "<<", "variable_end_string": ">>"}
    with DAG("signs", schedule=None, jinja_environment_kwargs=signs):
        Download.partial(task_id="one", object_name="a", path="/x-<< ti.map_index >>").expand(
            instance_id=[1, 2]
        )
        with pytest.raises(ValueError, match=r"^path is one file for all copies"):
            Download.partial(task_id="two", object_name="a", path="/x-{{ no }}").expand(instance_id=[1, 2])


def test_a_file_that_all_copies_read_may_be_one(dag):
    Upload.partial(task_id="one", **BULK).expand(instance_id=[1, 2])
    assert dag.task_ids == ["one"]


def test_what_an_upstream_task_gives_is_not_known_yet(dag):
    rows = upstream()
    Call.partial(task_id="one", paginate=True, path="/a").expand(method=rows)
    Call.partial(task_id="two", paginate=True).expand_kwargs(rows)
    Call.partial(task_id="three", output_path="/x-{{ ti.map_index }}", path="/a").expand(
        paginate=rows, method=["GET"]
    )
    assert dag.task_ids == ["upstream", "one", "two", "three"]


SECRET = {"key": "a", "element": "closeio", "configuration": {"password": "literal"}}


@pytest.mark.parametrize(
    "manifests",
    [[[{"key": "b"}, SECRET]], [{"instances": [SECRET]}], [SECRET], ["a.yaml", {"defaults": SECRET}]],
    ids=["rows", "manifest", "row", "defaults"],
)
def test_a_secret_in_rows_of_the_source_is_refused(dag, manifests):
    with pytest.raises(CloudElementsManifestError, match="a secret does not stand in a manifest") as raised:
        Plan.partial(task_id="plan").expand(manifest=manifests)
    assert "literal" not in str(raised.value)
    with pytest.raises(CloudElementsManifestError, match="a secret does not stand in a manifest"):
        Plan.partial(task_id="plan").expand_kwargs([{"manifest": each} for each in manifests])
    assert dag.task_ids == []


def test_templates_and_addresses_of_manifests_are_mapped(dag):
    row = {**SECRET, "configuration": {"password": "{{ conn.x.password }}"}}
    Plan.partial(task_id="plan").expand(manifest=["a.yaml", [row], {"instances": [row]}])
    assert dag.task_ids == ["plan"]
