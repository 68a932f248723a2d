"""From nothing to a file of all contacts and back: make an instance, use it in three ways, and remove it.

The run makes an instance of its own, waits until it is ready, and downloads all contacts in bulk as one CSV
file. Then it counts the rows of the file, lets a formula count the contacts at the vendor, and compares both.
At the end it deletes the formula's instance and the instance, whether or not the work fails. The file stays:
its asset starts ``example_load_into_postgresql``.

The three tasks that wait do so in the triggerer, where they hold no worker.

Needs ``cloudelements_default`` and ``closeio_login``, of type ``cloudelements_element`` with authentication
``basic``, and a formula named "Count contacts", whose instances name an instance under the key ``crm``. See
``docs/use.md``.
"""

from __future__ import annotations

import csv

import pendulum
from airflow.sdk import DAG, Asset, ObjectStoragePath, Param, setup, task, teardown

from airflow_provider_cloudelements.hooks.cloudelements import CloudElementsHook
from airflow_provider_cloudelements.operators.bulk import CloudElementsDownloadBulkOperator
from airflow_provider_cloudelements.operators.formulas import CloudElementsRunFormulaOperator
from airflow_provider_cloudelements.operators.instances import element_instance
from airflow_provider_cloudelements.sensors.instances import CloudElementsInstanceSensor

FORMULA = "Count contacts"

with DAG(
    "example_download_contacts",
    description="From nothing to a file of all contacts and back: make an instance, use it in three ways, "
    "and remove it.",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1),
    catchup=False,
    tags=["cloudelements", "example", "use"],
    doc_md=__doc__,
    params={"folder": Param("file:///tmp/cloudelements", type="string", description="Where the file goes")},
) as dag:
    # [start: count]
    @task
    def count_rows(file: dict) -> int:
        """Count the rows of the file, one at a time."""
        with ObjectStoragePath(file["path"]).open(encoding="utf-8", newline="") as lines:
            return sum(1 for _ in csv.DictReader(lines))

    # [end: count]

    @setup
    def make_formula_instance(instance: dict) -> int:
        """Let the formula work with the run's instance; return the formula instance's id."""
        formulas = CloudElementsHook().get_conn().formulas
        for each in formulas.instances(element_instance_id=instance["id"]):
            return each.id  # an earlier try made it
        (formula,) = [each for each in formulas.list() if each.name == FORMULA]
        name = f"{FORMULA} of {instance['name']}"
        return formulas.create_instance(formula.id, name, {"crm": instance["id"]}).id

    @teardown
    def delete_formula_instance(instance: dict) -> None:
        """Delete it, and whatever else works with the run's instance."""
        formulas = CloudElementsHook().get_conn().formulas
        for each in formulas.instances(element_instance_id=instance["id"]):
            formulas.delete_instance(each.formula_id, each.id)

    @task
    def compare(rows: int, formula: dict) -> int:
        """Require that the file has as many contacts as the formula found at the vendor."""
        found = int(formula["outputs"]["count"]["count.count"])
        if rows != found:
            raise ValueError(f"The file has {rows} contacts, and the vendor {found}.")
        return rows

    with element_instance(
        element="closeio",
        instance_name="Contacts of one run",
        element_conn_id="closeio_login",
        events_enabled=False,
        push_token=False,
    ) as create:
        ready = CloudElementsInstanceSensor(
            task_id="wait_until_ready", instance_id=create.output, poke_interval=10, deferrable=True
        )
        # [start: download]
        download = CloudElementsDownloadBulkOperator(
            task_id="download_contacts",
            instance_id=create.output,
            object_name="contacts",
            fields=["id", "name", "title", "date_updated"],
            path="{{ params.folder }}/contacts-{{ run_id }}.csv",
            deferrable=True,
            outlets=[Asset("example contacts")],
        )
        # [end: download]
        made = make_formula_instance(create.output)
        run_formula = CloudElementsRunFormulaOperator(
            task_id="run_formula", formula_instance_id=made, steps=["count"], deferrable=True
        )
        removed = delete_formula_instance(create.output)
        ready >> [download, made]
        run_formula >> removed
        made >> removed
        compare(count_rows(download.output), run_formula.output)
