"""Sensor that waits for an element instance."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk import PokeReturnValue

from airflow_provider_cloudelements.client.target import Target
from airflow_provider_cloudelements.client.view import returned
from airflow_provider_cloudelements.operators._parts.base import require_choice
from airflow_provider_cloudelements.operators.instances import XCOM_ID
from airflow_provider_cloudelements.provisioning.health import check
from airflow_provider_cloudelements.sensors.base import CloudElementsBaseSensor

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.triggers.base import BaseTrigger

__all__ = ["CloudElementsInstanceSensor"]

UNTIL = ("ready", "exists")


class CloudElementsInstanceSensor(CloudElementsBaseSensor):
    """Wait until an element instance exists, and works.

    Give exactly one of ``instance_id``, ``instance_key`` and ``tag``. If an instance is disabled or invalid,
    or its vendor does not answer, the sensor waits until somebody mends it. The log says what is wrong. If no
    instance has the given ``instance_id``, the task fails, because the platform does not use ids again.

    XCom ``id`` holds the instance's id, so that ``sensor.output["id"]`` works. The token does not go to XCom:
    the task that needs it fetches it with :meth:`CloudElementsHook.instance`.

    :param instance_id: The instance's id: an integer, its digits, or what the create operator returned.
        Templated.
    :param instance_key: As given to the create operator, or its default ``element/name``; together with the
        connection's namespace. Templated.
    :param tag: A tag that only one instance has. Templated.
    :param element: Accept only an instance of this element's key. Default: any. Templated.
    :param until: ``ready`` (default): it is valid and enabled, and its vendor answers a ping. ``exists``: it
        exists.
    :param deferrable: Whether to wait in the triggerer, where it holds no worker. Default: Airflow's
        ``[operators] default_deferrable``.
    :param poll_interval: Seconds between two looks of a deferred sensor, at least 1. Default:
        ``poke_interval`` (60), but at least 10. All waiters on one connection share the looks.
    :param cloudelements_conn_id: Connection of type ``cloudelements``. Templated.
    :param kwargs: Arguments of every Airflow sensor, such as ``mode`` and ``soft_fail``. Without ``timeout``
        the wait ends after Airflow's ``[sensors] default_timeout``: seven days, unless configured. An expired
        ``timeout`` fails the task without a retry, or skips it with ``soft_fail``. An expired
        ``execution_timeout`` fails the try, also while the sensor is deferred.
    :return: ``id``, ``name``, ``element``, ``tags`` (without this provider's own), ``valid``, ``disabled``,
        ``events_enabled`` and ``created_date`` (ISO 8601, UTC), as the platform's list shows them. No token
        and no configuration.
    :raises CloudElementsNotFoundError: There is no instance with the id.
    :raises CloudElementsConflictError: Several instances have the tag, or the instance with the id has
        another element.
    :raises AirflowSensorTimeout: The wait took longer than ``timeout``.
    :raises AirflowTaskTimeout: The try took longer than ``execution_timeout``.
    :raises CloudElementsAuthError: The platform refuses the connection's secrets; in a deferred sensor, at
        ten looks in a row, each with the connection's values at that time.
    :raises CloudElementsConnectionError: A field of the connection is missing or malformed, or it has
        ``authorization``, with which the provider cannot ping an instance.
    :raises CloudElementsValidationError: Not exactly one of the three is given, or it is malformed.
    """

    template_fields: Collection[str] = (
        "cloudelements_conn_id",
        "instance_id",
        "instance_key",
        "tag",
        "element",
    )
    told_as = "instance"

    def __init__(
        self,
        *,
        instance_id: int | str | Mapping[str, Any] | None = None,
        instance_key: str | None = None,
        tag: str | None = None,
        element: str | None = None,
        until: str = "ready",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.instance_id = instance_id
        self.instance_key = instance_key
        self.tag = tag
        self.element = element
        self.until = require_choice("until", until, UNTIL)

    def look(self, context: Context) -> bool | PokeReturnValue:
        """Look the instance up, and ping it if it must be ready."""
        instances = self.hook.get_conn().instances
        target = self._target()
        instance = target.look_up(instances, with_token=self.until == "ready")
        if instance is None:
            self.log.info("There is no instance with %s yet.", target.name)
            return False
        if self.until == "exists":
            return PokeReturnValue(True, returned(instance))
        checkup = check(instances, instance)
        if checkup is None:
            return False
        if not checkup.healthy:
            self.log.info("Instance %d is %s. %s", instance.id, checkup.state, checkup.detail or "")
            return False
        return PokeReturnValue(True, returned(checkup.instance))

    def trigger(self, interval: float) -> BaseTrigger:
        """Return the trigger that waits for the instance."""
        from airflow_provider_cloudelements.triggers.instances import CloudElementsInstanceTrigger

        return CloudElementsInstanceTrigger(
            cloudelements_conn_id=self.cloudelements_conn_id,
            until=self.until,
            poll_interval=interval,
            **self._target().as_arguments(),
        )

    def found(self, context: Context, value: Any) -> Any:
        """Push the id, return the instance."""
        self.found_name = value["name"]
        self.log.info("Instance %d (%r) is there.", value["id"], value["name"])
        if self.do_xcom_push:  # Airflow itself applies it to the returned value only
            context["ti"].xcom_push(key=XCOM_ID, value=value["id"])
        return value

    def _target(self) -> Target:
        return Target.of(
            self.hook.settings,
            instance_id=self.instance_id,
            instance_key=self.instance_key,
            tag=self.tag,
            element=self.element,
        )
