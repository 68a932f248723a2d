"""Keep thousands of instances as a file says: read a manifest, plan, apply, export.

.. code-block:: python

    manifest = read_manifest("tenants.yaml")
    todo = plan(client, manifest, credentials)  # reads the list of instances once, and writes nothing
    print(todo.table())
    report = apply(client, todo, todo.checksum, credentials)
    print(report.markdown())

``client`` is a :class:`~airflow_provider_cloudelements.client.CloudElementsClient`. ``credentials`` is a
function that reads an element connection by its id: ``lambda conn_id:
CloudElementsElementHook(conn_id).get_conn()``.

A plan is data: ``plan.to_json()`` goes through XCom, ``Plan.from_json`` reads it, and
``plan.chunks(size)`` splits it. Neither plan nor report holds a secret.
"""

from airflow_provider_cloudelements.fleet.applying import apply
from airflow_provider_cloudelements.fleet.changes import Change, FieldChange, Kind, Note
from airflow_provider_cloudelements.fleet.exporting import Exported, export
from airflow_provider_cloudelements.fleet.manifest import Manifest, Row, read_manifest, read_manifest_text
from airflow_provider_cloudelements.fleet.planning import plan
from airflow_provider_cloudelements.fleet.plans import Plan
from airflow_provider_cloudelements.fleet.problems import Place, Problem
from airflow_provider_cloudelements.fleet.report import Progress, Report, Result, Status
from airflow_provider_cloudelements.fleet.safety import Safety, Violation
from airflow_provider_cloudelements.fleet.schema import manifest_schema

__all__ = [
    "Change",
    "Exported",
    "FieldChange",
    "Kind",
    "Manifest",
    "Note",
    "Place",
    "Plan",
    "Problem",
    "Progress",
    "Report",
    "Result",
    "Row",
    "Safety",
    "Status",
    "Violation",
    "apply",
    "export",
    "manifest_schema",
    "plan",
    "read_manifest",
    "read_manifest_text",
]
