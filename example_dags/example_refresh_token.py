"""An OAuth 2.0 instance with no person present, from a refresh token that you hold already.

Needs the connections ``cloudelements_default`` and ``hubspot_app``, of type ``cloudelements_element``, with
the app's API key and secret, its callback URL and the refresh token.
"""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG

from airflow_provider_cloudelements.operators.instances import CloudElementsCreateInstanceOperator
from airflow_provider_cloudelements.operators.records import CloudElementsCallResourceOperator

with DAG(
    "example_refresh_token",
    description="An OAuth 2.0 instance with no person present, from a refresh token that you hold already.",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1),
    catchup=False,
    tags=["cloudelements", "example", "instances"],
    doc_md=__doc__,
) as dag:
    create = CloudElementsCreateInstanceOperator(
        task_id="create_instance",
        element="hubspotcrm",
        instance_name="Marketing",
        element_conn_id="hubspot_app",
        # The platform keeps events for reading, and delivers them nowhere.
        event_callback_url=None,
        push_token=False,
    )

    # The vendor's contacts, through the instance: few of them by XCom.
    CloudElementsCallResourceOperator(
        task_id="list_contacts", instance_id=create.output, path="/contacts", paginate=True
    )
