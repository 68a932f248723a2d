"""Sensor that waits for a bulk job."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk import PokeReturnValue

from airflow_provider_cloudelements.client.parsing import instance_id_of, optional_id
from airflow_provider_cloudelements.exceptions import CloudElementsBulkError, CloudElementsValidationError
from airflow_provider_cloudelements.operators._parts.failures import FinalFailures
from airflow_provider_cloudelements.sensors.base import CloudElementsBaseSensor
from airflow_provider_cloudelements.use.bulk import require_result

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.triggers.base import BaseTrigger

__all__ = ["CloudElementsBulkJobSensor"]


class CloudElementsBulkJobSensor(CloudElementsBaseSensor):
    """Wait until a bulk job has completed.

    If it failed or was cancelled, the task fails without a retry, whatever ``soft_fail`` says. The sensor
    never starts or cancels a job.

    :param instance_id: The id of the job's instance: an integer, its digits, or what the create operator
        returned. Templated.
    :param job_id: The job's id: an integer, its digits, or what an operator that starts jobs returned.
        Templated.
    :param deferrable: Whether to wait in the triggerer, where it holds no worker. Default: Airflow's
        ``[operators] default_deferrable``.
    :param poll_interval: Seconds between two looks of a deferred sensor, at least 1. Default:
        ``poke_interval`` (60), but at least 10. All who wait for jobs of one instance share the looks.
    :param cloudelements_conn_id: Connection of type ``cloudelements``. Templated.
    :param kwargs: Arguments of every Airflow sensor, such as ``mode`` and ``timeout``. Without ``timeout``
        the wait ends after Airflow's ``[sensors] default_timeout``: seven days, unless configured.
    :return: ``job_id``, ``status``, ``records``, ``failed``, ``object_name`` and ``direction``, as far as the
        platform says them.
    :raises CloudElementsBulkError: The job failed, or was cancelled. The message holds its first errors.
    :raises CloudElementsNotFoundError: There is no such job or instance.
    :raises CloudElementsValidationError: An argument is malformed.
    :raises AirflowSensorTimeout: The wait took longer than ``timeout``.
    """

    template_fields: Collection[str] = ("cloudelements_conn_id", "instance_id", "job_id")
    told_as = "job"

    def __init__(
        self,
        *,
        instance_id: int | str | Mapping[str, Any] | None = None,
        job_id: int | str | Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.instance_id = instance_id
        self.job_id = job_id

    def look(self, context: Context) -> bool | PokeReturnValue:
        """Ask how far the job has come."""
        job = self.hook.instance(self.instance_id).bulk.status(self._number())
        if job.status.is_terminal:
            return PokeReturnValue(True, {"job_id": job.id})
        records = "" if job.records is None else f", with {job.records} records"
        self.log.info("Bulk job %d is %s%s.", job.id, job.status, records)
        return False

    def trigger(self, interval: float) -> BaseTrigger:
        """Return the trigger that waits for the job."""
        from airflow_provider_cloudelements.triggers.bulk import CloudElementsBulkJobTrigger

        return CloudElementsBulkJobTrigger(
            cloudelements_conn_id=self.cloudelements_conn_id,
            instance_id=instance_id_of(self.instance_id),
            job_id=self._number(),
            poll_interval=interval,
        )

    def found(self, context: Context, value: Any) -> Any:
        """Return what the job says at its end, or fail as it did."""
        with FinalFailures(self):
            instance = self.hook.instance(self.instance_id)
            job = instance.bulk.status(value["job_id"])
            try:
                require_result(instance, job)
            except CloudElementsBulkError as error:
                error.final = True  # a later try would wait for the same job
                raise
        self.log.info("Bulk job %d has completed.", job.id)
        return {
            "job_id": job.id,
            "status": str(job.status),
            "records": job.records,
            "failed": job.failed,
            "object_name": job.object_name,
            "direction": job.direction,
        }

    def _number(self) -> int:
        given = self.job_id.get("job_id") if isinstance(self.job_id, Mapping) else self.job_id
        number = optional_id(given.strip() if isinstance(given, str) else given)
        if number is None:
            raise CloudElementsValidationError(
                "job_id must be a bulk job's id (an integer above 0 or its digits), or what an operator that "
                "starts jobs returned."
            )
        return number
