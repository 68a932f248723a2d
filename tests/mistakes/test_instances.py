"""Mistakes about which instance is meant, and in what state it is; and about XCom."""

from __future__ import annotations

from datetime import timedelta

from airflow_provider_cloudelements.operators.changes import (
    CloudElementsEnableInstanceOperator,
    CloudElementsReauthenticateInstanceOperator,
)
from airflow_provider_cloudelements.operators.instances import (
    CloudElementsCreateInstanceOperator,
    CloudElementsDeleteInstanceOperator,
    pull_token,
)
from airflow_provider_cloudelements.sensors.instances import CloudElementsInstanceSensor
from tests.support.mistakes import PASSWORD
from tests.support.platform import Person


def create(newcomer, name="x", **arguments):
    given = {"element_conn_id": newcomer.login(), **arguments}
    return newcomer.run(CloudElementsCreateInstanceOperator, instance_name=name, **given)


def test_a_deleted_instance(newcomer):
    made = create(newcomer)
    newcomer.run(CloudElementsDeleteInstanceOperator, instance_id=made)
    with newcomer.mistake("a deleted instance"):
        newcomer.run(CloudElementsEnableInstanceOperator, instance_id=made)


def test_a_wait_for_a_deleted_instance(newcomer):
    made = create(newcomer)
    newcomer.run(CloudElementsDeleteInstanceOperator, instance_id=made)
    with newcomer.mistake("a wait for a deleted instance"):
        newcomer.run(CloudElementsInstanceSensor, instance_id=made)


def test_a_mistyped_key(newcomer):
    create(newcomer)
    with newcomer.mistake("a mistyped instance_key"):
        newcomer.run(CloudElementsEnableInstanceOperator, instance_key="closeio/X")


def test_a_tag_of_several_instances(newcomer):
    create(newcomer, "a", tags=["acme"])
    create(newcomer, "b", tags=["acme"])
    with newcomer.mistake("a tag that several instances have"):
        newcomer.run(CloudElementsInstanceSensor, tag="acme")


def test_one_key_for_two_names(newcomer):
    create(newcomer, "a", instance_key="tenant")
    with newcomer.mistake("one instance_key for two names"):
        create(newcomer, "b", instance_key="tenant")


def test_an_instance_that_exists(newcomer):
    made = create(newcomer)
    assert made["created"]
    with newcomer.mistake("if_exists='fail' for an instance that exists"):
        newcomer.run(
            CloudElementsCreateInstanceOperator,
            instance_name="x",
            element_conn_id="vendor_login",
            if_exists="fail",
        )


def test_an_instance_of_another_element(newcomer):
    made = create(newcomer)
    with newcomer.mistake("an element connection for another element"):
        newcomer.run(
            CloudElementsReauthenticateInstanceOperator, instance_id=made, element_conn_id=newcomer.app()
        )


def test_a_wait_for_another_element(newcomer):
    made = create(newcomer)
    with newcomer.mistake("a wait for an instance of another element"):
        newcomer.run(CloudElementsInstanceSensor, instance_id=made, element="microsoftgraph")


def test_a_disabled_instance(newcomer):
    made = create(newcomer)
    Person(newcomer.sandbox).disable(made["id"])
    with newcomer.mistake("a disabled instance"):
        create(newcomer)


def test_an_instance_whose_login_no_longer_works(newcomer):
    made = create(newcomer)
    newcomer.sandbox.revoke(made["id"])
    with newcomer.mistake("an instance whose login no longer works"):
        create(newcomer, if_exists="reuse")


def test_a_sweep_that_finds_too_many(newcomer):
    create(newcomer, "a", tags=["acme"])
    create(newcomer, "b", tags=["acme"])
    with newcomer.mistake("a sweep that finds too many"):
        newcomer.run(CloudElementsDeleteInstanceOperator, tag="acme", older_than=timedelta(), max_deletes=1)


class Pulled:
    """A task instance whose upstream task pushed this."""

    def __init__(self, value):
        self.value = value

    def xcom_pull(self, **_):
        return self.value


def test_a_token_that_was_not_pushed(newcomer):
    with newcomer.mistake("a token that was not pushed"):
        pull_token(Pulled(None), "create")


def test_the_tokens_of_a_mapped_task(newcomer):
    with newcomer.mistake("the token of a mapped task"):
        pull_token(Pulled([PASSWORD, PASSWORD]), "create")


def test_a_wait_without_end(newcomer):
    with newcomer.mistake("a wait that took too long"):
        newcomer.run(
            CloudElementsInstanceSensor, instance_key="closeio/never", poke_interval=0.1, timeout=0.2
        )
