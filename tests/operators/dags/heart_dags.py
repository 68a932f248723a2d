"""DAGs for the tests of the operators inside Airflow: dag.test() runs only what lies in a DAGs folder."""

from __future__ import annotations

import datetime

import pendulum
from airflow.sdk import DAG, task, task_group

from airflow_provider_cloudelements.operators.changes import (
    CloudElementsDisableInstanceOperator,
    CloudElementsEnableInstanceOperator,
    CloudElementsReauthenticateInstanceOperator,
    CloudElementsUpdateInstanceOperator,
)
from airflow_provider_cloudelements.operators.deliveries import (
    CloudElementsReleaseDeliveriesOperator,
    CloudElementsSetNotificationPolicyOperator,
)
from airflow_provider_cloudelements.operators.events import (
    CloudElementsDisableEventsOperator,
    CloudElementsEnableEventsOperator,
)
from airflow_provider_cloudelements.operators.instances import (
    CloudElementsCreateInstanceOperator,
    CloudElementsDeleteInstanceOperator,
    element_instance,
    pull_token,
)
from airflow_provider_cloudelements.operators.oauth import CloudElementsGetOAuthUrlOperator

START = pendulum.datetime(2026, 1, 1)
CALLBACK = "https://hooks.example.com/events"
LOGIN = {"username": "ada", "password": "{{ dag_run.conf['password'] }}"}
APP = {
    "oauth.api.key": "{{ dag_run.conf['api_key'] }}",
    "oauth.api.secret": "{{ dag_run.conf['api_secret'] }}",
    "oauth.callback.url": "https://app.example.com/callback",
    "oauth.scope": "offline_access",
}

with DAG("heart_plain", schedule=None, start_date=START) as plain:

    @task(do_xcom_push=True)
    def code_of(number: int, dag_run=None) -> str:
        return dag_run.conf["codes"][number]

    made = CloudElementsCreateInstanceOperator(
        task_id="create",
        element="microsoftgraph",
        instance_name="{{ dag_run.conf['name'] }}",
        authorization_code="{{ dag_run.conf['codes'][0] }}",
        provider_data={"realmId": "{{ dag_run.conf['realm'] }}"},
        configuration=APP,
        event_callback_url=CALLBACK,
        event_configuration={"event.notification.signature.key": "{{ dag_run.conf['signature'] }}"},
        tags=["{{ dag_run.conf['name'] }}", "Docs"],
    )
    from_xcom = CloudElementsCreateInstanceOperator(
        task_id="create_from_xcom",
        element="microsoftgraph",
        instance_name="From XCom",
        authorization_code=code_of(1),
        configuration=APP,
        event_callback_url=CALLBACK,
    )

    @task
    def use(instance_id: int, token: str, ti=None) -> bool:
        """Get the token by keyword, and pull it again by hand."""
        return isinstance(instance_id, int) and token == pull_token(ti, "create")

    used = use(instance_id=made.output["id"], token=made.output["token"])
    delete = CloudElementsDeleteInstanceOperator(task_id="delete", instance_id=made.output)
    used >> delete

with DAG("heart_mapped", schedule=None, start_date=START) as mapped:

    @task
    def tenants(dag_run=None) -> list[dict]:
        return [
            {"instance_name": name, "configuration": {"username": name, "password": password}}
            for name, password in dag_run.conf["tenants"].items()
        ]

    each = CloudElementsCreateInstanceOperator.partial(
        task_id="create_each", element="closeio", event_callback_url=CALLBACK
    ).expand_kwargs(tenants())

    @task
    def codes(dag_run=None) -> list[str]:
        return dag_run.conf["codes"]

    # Secrets in what is partial, and in what is expanded.
    by_code = CloudElementsCreateInstanceOperator.partial(
        task_id="create_by_code",
        element="microsoftgraph",
        instance_name="By code",
        instance_key="code/{{ ti.map_index }}",
        configuration=APP,
        event_callback_url=CALLBACK,
    ).expand(authorization_code=codes())

    @task
    def token_of(instance: dict, ti=None) -> bool:
        return bool(pull_token(ti, "create_each", map_index=ti.map_index)) and "token" not in instance

    checked = token_of.expand(instance=each.output)
    gone = CloudElementsDeleteInstanceOperator.partial(task_id="delete_each").expand(instance_id=each.output)
    checked >> gone

with DAG("heart_retry", schedule=None, start_date=START) as retry:
    CloudElementsCreateInstanceOperator(
        task_id="create",
        element="microsoftgraph",
        instance_name="Retried",
        authorization_code="{{ dag_run.conf['codes'][0] }}",
        configuration=APP,
        event_callback_url=CALLBACK,
        settle_time=0,
        retries=2,
        retry_delay=datetime.timedelta(seconds=0),
    )

with DAG("heart_basic_retry", schedule=None, start_date=START) as basic_retry:
    CloudElementsCreateInstanceOperator(
        task_id="create",
        element="closeio",
        instance_name="Retried",
        configuration=LOGIN,
        event_callback_url=CALLBACK,
        settle_time=0,
        retries=2,
        retry_delay=datetime.timedelta(seconds=0),
    )


def tell_of_failure(context):
    """Keep what a callback learns of the instance whose create failed."""
    ti = context["ti"]
    pulled = ti.xcom_pull(task_ids="create", key="id")
    # dag.test() puts the exception into the context from Airflow 3.3 on; a real task does so on all lines.
    error = context.get("exception")
    ti.xcom_push(key="callback", value=[pulled, pulled if error is None else error.instance_id])


with DAG("heart_failing", schedule=None, start_date=START) as failing:
    CloudElementsCreateInstanceOperator(
        task_id="create",
        element="closeio",
        instance_name="Failing",
        configuration=LOGIN,
        event_callback_url=CALLBACK,
        settle_time=0,
        on_failure_callback=tell_of_failure,
    )

with DAG("heart_scope", schedule=None, start_date=START) as scope:

    @task
    def work(instance: dict, dag_run=None) -> int:
        if dag_run.conf.get("fail_work"):
            raise RuntimeError("the work fails")
        return instance["id"]

    with element_instance(
        element="closeio",
        instance_name="Scoped",
        configuration=LOGIN,
        event_callback_url=CALLBACK,
        settle_time=0,
        cloudelements_conn_id="cloudelements_default",
    ) as scoped:
        work(scoped.output)

with DAG("heart_scope_loose", schedule=None, start_date=START) as scope_loose:
    with element_instance(
        element="closeio",
        instance_name="Scoped",
        instance_key="a key",
        task_id="make",
        delete_task_id="remove",
        configuration=LOGIN,
        event_callback_url=CALLBACK,
        on_failure_fail_dagrun=False,
        delete_on_failure=False,
        push_token=False,
    ) as loose:
        work.override(task_id="loose_work")(loose.output)

with DAG("heart_scope_fail_fast", schedule=None, start_date=START, fail_fast=True) as scope_fail_fast:

    @task
    def after(number: int) -> int:
        return number

    with element_instance(
        element="closeio", instance_name="Scoped", configuration=LOGIN, event_callback_url=CALLBACK
    ) as fast:
        after(work(fast.output))

with DAG("heart_scope_loose_fail_fast", schedule=None, start_date=START, fail_fast=True) as loose_fail_fast:
    with element_instance(
        element="closeio",
        instance_name="Scoped",
        configuration=LOGIN,
        event_callback_url=CALLBACK,
        on_failure_fail_dagrun=False,
    ) as loose_fast:
        after(work(loose_fast.output))

with DAG("heart_scope_copies", schedule=None, start_date=START) as scope_copies:

    @task_group
    def for_each(tenant: str) -> None:
        """Work with two instances that have the same element and name."""
        for task_id in ("first", "second"):
            with element_instance(
                element="closeio",
                instance_name="Scoped",
                task_id=task_id,
                delete_task_id=f"delete_{task_id}",
                configuration=LOGIN,
                event_callback_url=CALLBACK,
            ) as copy:
                work.override(task_id=f"work_{task_id}")(copy.output)

    for_each.expand(tenant=["acme", "globex"])

with DAG("heart_scope_caught", schedule=None, start_date=START) as scope_caught:

    @task(trigger_rule="all_done")
    def tidy_up() -> None:
        """Take no notice of failed work."""

    with element_instance(
        element="closeio", instance_name="Scoped", configuration=LOGIN, event_callback_url=CALLBACK
    ) as caught:
        work(caught.output) >> tidy_up()

with DAG("heart_copies_fail_fast", schedule=None, start_date=START, fail_fast=True) as copies_fail_fast:

    @task
    def work_of(tenant: str, dag_run=None) -> None:
        if dag_run.conf["fails"] == tenant:
            raise RuntimeError("the work fails")

    @task_group
    def for_tenant(tenant: str) -> None:
        with element_instance(
            element="closeio", instance_name="Scoped", configuration=LOGIN, event_callback_url=CALLBACK
        ):
            work_of(tenant)

    for_tenant.expand(tenant=["acme", "globex"])

with DAG("heart_native", schedule=None, start_date=START, render_template_as_native_obj=True) as native:
    (
        CloudElementsCreateInstanceOperator(
            task_id="create",
            element="closeio",
            instance_name="{{ dag_run.conf['version'] }}",
            instance_key="{{ dag_run.conf['version'] }}",
            tags=["gold", "{{ dag_run.conf['version'] }}"],
            configuration={"username": "ada", "password": "{{ dag_run.conf['version'] }}"},
            event_callback_url=CALLBACK,
        )
        >> CloudElementsDeleteInstanceOperator(
            task_id="delete", instance_key="{{ ti.xcom_pull('create')['instance_key'] }}"
        )
        >> CloudElementsDeleteInstanceOperator(
            task_id="sweep", tag="{{ dag_run.conf['version'] }}", older_than=datetime.timedelta(0)
        )
    )

with DAG("heart_changes", schedule=None, start_date=START) as changes:
    # Each of them mapped over what the create returned, secrets in what is partial.
    both = CloudElementsCreateInstanceOperator.partial(
        task_id="create", element="closeio", configuration=LOGIN, events_enabled=False
    ).expand(instance_name=["First", "Second"])
    disabled = CloudElementsDisableInstanceOperator.partial(task_id="disable").expand(instance_id=both.output)
    logged_in = CloudElementsReauthenticateInstanceOperator.partial(
        task_id="log_in", configuration={"password": "{{ dag_run.conf['new_password'] }}"}
    ).expand(instance_id=both.output)
    switched_on = CloudElementsEnableEventsOperator.partial(
        task_id="events_on",
        event_callback_url=CALLBACK,
        event_signature_key="{{ dag_run.conf['signature'] }}",
    ).expand(instance_id=both.output)
    updated = CloudElementsUpdateInstanceOperator.partial(
        task_id="update",
        instance_name="Renamed {{ ti.map_index }}",
        add_tags=["{{ run_id }}"],
        configuration={"username": "grace"},
    ).expand(instance_id=both.output)
    switched_off = CloudElementsDisableEventsOperator.partial(task_id="events_off").expand(
        instance_id=both.output
    )
    enabled = CloudElementsEnableInstanceOperator.partial(task_id="enable").expand(instance_id=both.output)
    disabled >> logged_in >> switched_on >> updated >> switched_off >> enabled

with DAG("heart_log_in", schedule=None, start_date=START) as log_in:
    CloudElementsReauthenticateInstanceOperator(
        task_id="log_in",
        instance_key="microsoftgraph/By hand",
        authorization_code="{{ dag_run.conf['codes'][0] }}",
        provider_data={"realmId": "{{ dag_run.conf['realm'] }}"},
        configuration={"oauth.api.secret": "{{ dag_run.conf['api_secret'] }}"},
        settle_time=0,
        retries=2,
        retry_delay=datetime.timedelta(seconds=0),
    )

with DAG("heart_consent", schedule=None, start_date=START) as consent:
    asked = CloudElementsGetOAuthUrlOperator(task_id="ask")

    @task
    def allowed(url: str) -> str:
        """Play the person: allow the access, and bring the address back that the vendor leads to."""
        import requests

        answer = requests.get(f"{url}&decision=allow", allow_redirects=False, timeout=20)
        return answer.headers["Location"]

    CloudElementsCreateInstanceOperator(
        task_id="create",
        instance_name="Consented",
        element_conn_id="cloudelements_element_default",
        authorization_code=allowed(url=asked.output["url"]),
        authorization_state=asked.output["state"],
        event_callback_url=CALLBACK,
    )

with DAG("heart_outage", schedule=None, start_date=START) as outage:
    queue = CloudElementsSetNotificationPolicyOperator(
        task_id="queue", policy="queue", retries=1, retry_delay=datetime.timedelta(seconds=0)
    )
    queue >> CloudElementsReleaseDeliveriesOperator(
        task_id="release", instance_id="{{ dag_run.conf['instance'] }}"
    )
