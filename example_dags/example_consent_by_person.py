"""A consent inside the DAG: a person opens a link and pastes the resulting address, and the DAG goes on.

``consent_link`` pushes the link. ``ask_person`` shows it on its page (Required actions) and waits for the
answer: the code, or the whole address that the vendor sent the person to. From an address ``create_instance``
takes the code, and compares its ``state`` with the one of the link. If no person answers within a day, the
task fails, and with it the run (``defaults=None``; with a default the DAG would go on without a code).

If the instance exists already, the DAG finds it first and skips both tasks.

Needs ``cloudelements_default`` and ``microsoft_graph_app``, of type ``cloudelements_element``, with the app's
key and secret, scopes (``offline_access`` among them) and callback URL.
"""

from __future__ import annotations

from datetime import timedelta
from inspect import signature

import pendulum
from airflow.providers.standard.operators.hitl import HITLEntryOperator, HITLOperator
from airflow.sdk import DAG, Param, task

from airflow_provider_cloudelements.hooks.cloudelements import CloudElementsHook
from airflow_provider_cloudelements.operators.instances import CloudElementsCreateInstanceOperator
from airflow_provider_cloudelements.operators.oauth import CloudElementsGetOAuthUrlOperator

APP = "microsoft_graph_app"
NAME = "Calendar of the front desk"

#: The argument for the longest wait for a person; older releases of the standard provider name it otherwise.
PATIENCE = (
    "response_timeout" if "response_timeout" in signature(HITLOperator).parameters else "execution_timeout"
)

with DAG(
    "example_consent_by_person",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1),
    catchup=False,
    tags=["cloudelements", "example"],
    doc_md=__doc__,
) as dag:

    @task.short_circuit(ignore_downstream_trigger_rules=False)
    def consent_needed() -> bool:
        """Go on to the person only if there is no instance yet."""
        return not any(CloudElementsHook().get_conn().instances.list(tags=[NAME], element="microsoftgraph"))

    consent_link = CloudElementsGetOAuthUrlOperator(task_id="consent_link", element_conn_id=APP)

    ask_person = HITLEntryOperator(
        task_id="ask_person",
        subject=f"Allow the access for: {NAME}",
        body="[Open this page]({{ ti.xcom_pull('consent_link', key='url') }}), allow the access, and paste "
        "the address that you are sent to. It works once, and for about ten minutes.",
        params={"authorization_code": Param("", type="string", title="Address or code")},
        defaults=None,
        **{PATIENCE: timedelta(days=1)},
    )

    create = CloudElementsCreateInstanceOperator(
        task_id="create_instance",
        instance_name=NAME,
        element_conn_id=APP,
        authorization_code="{{ ti.xcom_pull('ask_person')['params_input']['authorization_code'] "
        "if ti.xcom_pull('ask_person') else '' }}",
        authorization_state="{{ ti.xcom_pull('consent_link', key='state') }}",
        push_token=False,
        # The DAG skips the person's task if it does not need it.
        trigger_rule="none_failed",
    )

    @task
    def ping(instance: dict) -> str:
        """Use the instance."""
        return CloudElementsHook().instance(instance["id"]).ping()["endpoint"]

    consent_needed() >> consent_link >> ask_person >> create
    ping(create.output)
