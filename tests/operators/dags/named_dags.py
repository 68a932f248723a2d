"""DAGs whose mapped copies have names."""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG, task_group

from airflow_provider_cloudelements.operators.changes import CloudElementsUpdateInstanceOperator
from airflow_provider_cloudelements.operators.instances import (
    CloudElementsCreateInstanceOperator,
    CloudElementsDeleteInstanceOperator,
)
from airflow_provider_cloudelements.sensors.instances import CloudElementsInstanceSensor

START = pendulum.datetime(2026, 1, 1)
NAMES = ["Acme", "12", " two\nlines", "n" * 300]


def make(task_id, **more):
    return CloudElementsCreateInstanceOperator.partial(
        task_id=task_id, element="closeio", element_conn_id="vendor_login", events_enabled=False, **more
    )


with DAG("named", schedule=None, start_date=START) as named:
    each = make("create").expand(instance_name=NAMES)
    own = make("own", map_index_template="mine: {{ task.instance_name }}").expand(instance_name=["Own"])
    secret = make("secret").expand(instance_name=["named {{ conn.vendor_login.password }}"])
    ready = CloudElementsInstanceSensor.partial(task_id="ready").expand(instance_id=each.output)
    update = CloudElementsUpdateInstanceOperator.partial(task_id="update", add_tags=["one"]).expand(
        instance_id=each.output.map(lambda made: made["id"])
    )
    delete = CloudElementsDeleteInstanceOperator.partial(task_id="delete").expand(instance_id=each.output)
    missing = CloudElementsUpdateInstanceOperator.partial(task_id="missing").expand(instance_id=[987_654])
    nameless = make("nameless").expand(instance_name=["{{ '' }}"])

    @task_group
    def for_each(name):
        CloudElementsCreateInstanceOperator(
            task_id="create",
            element="closeio",
            element_conn_id="vendor_login",
            events_enabled=False,
            instance_name=name,
        )

    for_each.expand(name=["In a group"])
    [ready, update] >> delete

with DAG("named_native", schedule=None, start_date=START, render_template_as_native_obj=True) as native:
    make("create").expand(instance_name=["12", 'it\'s \\ "two"', "{}", "Acme"])
