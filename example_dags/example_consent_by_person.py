"""A consent inside the DAG: a person opens a link and allows the access, and the DAG goes on.

``consent_group`` looks for the instance first. If there is none, ``ask_person`` shows the link on its page
(Required Actions) and waits. Airflow's own page, ``/cloudelements/consent``, takes the vendor's answer, if it
is the callback URL of the connection. Otherwise the person pastes the address that they are sent to. If no
person answers within a day, the task fails, and with it the run.

If the instance exists already, the DAG asks nobody.

Needs ``cloudelements_default`` and ``microsoft_graph_app``, of type ``cloudelements_element``, with the app's
key and secret, scopes (``offline_access`` among them) and callback URL.
"""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG, task

from airflow_provider_cloudelements.hooks.cloudelements import CloudElementsHook
from airflow_provider_cloudelements.operators.consent import consent_group

with DAG(
    "example_consent_by_person",
    description="A consent inside the DAG: a person opens a link and allows the access, and the DAG goes on.",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1),
    catchup=False,
    tags=["cloudelements", "example", "consent"],
    doc_md=__doc__,
) as dag:

    @task
    def ping(instance: dict) -> str:
        """Use the instance."""
        return CloudElementsHook().instance(instance["id"]).ping()["endpoint"]

    # [start: consent]
    consent = consent_group(
        instance_name="Calendar of the front desk", element_conn_id="microsoft_graph_app", push_token=False
    )
    ping(consent.output)
    # [end: consent]
