"""Every night, write what changed since the last successful run: one file of JSON lines for each tenant.

Each tenant has an instance of its own, and a copy of the mapped task reads it. A copy goes on where the last
successful run of the same instance ended, so that a tenant may come, go or fail without harm to the others,
and a night that failed is made up by the next. A record that changed is in one file, once by its id.

In use, give it ``schedule="@daily"``. Needs ``cloudelements_default`` and ``closeio_login``, of type
``cloudelements_element`` with authentication ``basic``; in use each tenant has a connection of its own, as in
``example_instance_per_tenant``. See ``docs/use.md``.
"""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta

import pendulum
from airflow.sdk import DAG, ObjectStoragePath, Param, get_current_context, task

from airflow_provider_cloudelements.operators.instances import CloudElementsCreateInstanceOperator
from airflow_provider_cloudelements.operators.record_changes import CloudElementsDownloadChangesOperator

with DAG(
    "example_nightly_changes",
    description="Every night, write what changed since the last successful run: one file of JSON lines for "
    "each tenant.",
    schedule=None,  # "@daily"
    start_date=pendulum.datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,  # two at once would read the same changes
    tags=["cloudelements", "example", "use", "mapping"],
    doc_md=__doc__,
    params={"folder": Param("file:///tmp/cloudelements", type="string", description="Where the files go")},
) as dag:

    @task
    def tenants() -> list[str]:
        """List the tenants; yours come from a database or a file."""
        return [f"Leads {name}" for name in ("Ash", "Elm")]

    create = CloudElementsCreateInstanceOperator.partial(
        task_id="create_instance",
        element="closeio",
        element_conn_id="closeio_login",
        events_enabled=False,
        push_token=False,
    ).expand(instance_name=tenants())

    # [start: changes]
    changes = CloudElementsDownloadChangesOperator.partial(
        task_id="download_changes",
        path="/leads",
        updated_field="date_updated",
        overlap=timedelta(hours=1),
        output_path="{{ params.folder }}/changed-leads-{{ run_id }}-{{ ti.map_index }}.jsonl",
        max_active_tis_per_dag=4,  # the platform does not publish its rate limits
    ).expand(instance_id=create.output)
    # [end: changes]

    @task(map_index_template="{{ tenant }}")
    def count_by_status(found: tuple[dict, dict]) -> dict[str, int]:
        """Stand for the work: count a tenant's changed leads by their status, one line at a time."""
        instance, changed = found
        get_current_context()["tenant"] = instance["name"]
        with ObjectStoragePath(changed["path"]).open(encoding="utf-8") as lines:
            return dict(Counter(json.loads(line)["status_label"] for line in lines))

    count_by_status.expand(found=create.output.zip(changes.output))
