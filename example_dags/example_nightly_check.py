"""Every night: ping all instances with a tag, repair what credentials can repair, ask a person for the rest.

``check`` reports the state of each. ``mend`` gives a broken instance the credentials of its element's
connection once more: it enables, re-authenticates and pings the instance. An instance that is still broken
needs a new consent. For each of them a person gets one page with a link, and pastes the resulting address.
The DAG leaves an unreachable instance alone, since a vendor that is down needs no new credentials. The last
check fails the run for it.

In use, give it ``schedule="@daily"``. Needs ``cloudelements_default``, and a connection of type
``cloudelements_element`` for each element in ``LOGINS``.
"""

from __future__ import annotations

from datetime import timedelta
from inspect import signature

import pendulum
from airflow.providers.standard.operators.hitl import HITLEntryOperator, HITLOperator
from airflow.sdk import DAG, Param, task

from airflow_provider_cloudelements.operators.changes import CloudElementsReauthenticateInstanceOperator
from airflow_provider_cloudelements.operators.health import CloudElementsCheckInstancesOperator
from airflow_provider_cloudelements.operators.oauth import CloudElementsGetOAuthUrlOperator

#: Tag of the instances to check. On Airflow 3.1 the person's form would show a parameter of the DAG.
TAG = "nightly check"
#: The connection that holds an element's credentials.
LOGINS = {"closeio": "closeio_login", "microsoftgraph": "microsoft_graph_app"}
BROKEN = ("disabled", "invalid", "needs re-authentication")

#: The argument for the longest wait for a person; older releases of the standard provider name it otherwise.
PATIENCE = (
    "response_timeout" if "response_timeout" in signature(HITLOperator).parameters else "execution_timeout"
)

with DAG(
    "example_nightly_check",
    description="Every night: ping all instances with a tag, repair what credentials can repair, ask a "
    "person for the rest.",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1),
    catchup=False,
    tags=["cloudelements", "example", "operation", "consent"],
    doc_md=__doc__,
) as dag:

    def broken(report: dict) -> list[dict]:
        """Return the rows of a report that credentials can repair."""
        return [row for row in report["instances"] if row["state"] in BROKEN and row["element"] in LOGINS]

    check = CloudElementsCheckInstancesOperator(task_id="check", tag=TAG, report="unhealthy")

    @task
    def what_to_mend(report: dict) -> list[dict]:
        """Return which instance gets which credentials."""
        return [
            {"instance_id": row["id"], "element_conn_id": LOGINS[row["element"]]} for row in broken(report)
        ]

    mend = CloudElementsReauthenticateInstanceOperator.partial(
        task_id="mend", max_active_tis_per_dag=4
    ).expand_kwargs(what_to_mend(check.output))

    check_again = CloudElementsCheckInstancesOperator(
        task_id="check_again", tag=TAG, report="unhealthy", trigger_rule="all_done"
    )

    @task
    def who_needs_consent(report: dict) -> list[dict]:
        """Return the instances that only a person can repair."""
        return [
            {"instance_id": row["id"], "element_conn_id": LOGINS[row["element"]], "name": row["name"]}
            for row in broken(report)
            if row["element"] == "microsoftgraph"
        ]

    needy = who_needs_consent(check_again.output)
    consent_link = CloudElementsGetOAuthUrlOperator.partial(task_id="consent_link").expand(
        element_conn_id=needy.map(lambda row: row["element_conn_id"])
    )
    # Each mapped task finds its values by its map index, which the tasks before it share.
    link = "{{ ti.xcom_pull('consent_link', key='url', map_indexes=ti.map_index) }}"
    ask_person = HITLEntryOperator.partial(
        task_id="ask_person",
        body=f"[Open this page]({link}), allow the access, and paste the address that you are sent to.",
        params={"authorization_code": Param("", type="string", title="Address or code")},
        defaults=None,
        **{PATIENCE: timedelta(hours=20)},
    ).expand(subject=needy.map(lambda row: f"{row['name']} needs a new consent"))

    answer = (
        "{{ ti.xcom_pull('ask_person', map_indexes=ti.map_index)['params_input']['authorization_code'] }}"
    )
    reauthenticate = CloudElementsReauthenticateInstanceOperator.partial(
        task_id="reauthenticate",
        authorization_code=answer,
        authorization_state="{{ ti.xcom_pull('consent_link', key='state', map_indexes=ti.map_index) }}",
    ).expand_kwargs(
        needy.map(lambda row: {"instance_id": row["instance_id"], "element_conn_id": row["element_conn_id"]})
    )

    last_check = CloudElementsCheckInstancesOperator(
        task_id="last_check",
        tag=TAG,
        report="unhealthy",
        fail_on=("disabled", "invalid", "needs re-authentication", "unreachable"),
        trigger_rule="all_done",
    )
    mend >> check_again
    consent_link >> ask_person >> reauthenticate >> last_check
