"""Sensor that waits for an execution of a formula."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk import PokeReturnValue

from airflow_provider_cloudelements.client.formulas import FormulaExecution
from airflow_provider_cloudelements.exceptions import CloudElementsFormulaError
from airflow_provider_cloudelements.operators._parts.failures import FinalFailures
from airflow_provider_cloudelements.sensors.base import CloudElementsBaseSensor
from airflow_provider_cloudelements.use.formulas import checked_steps, execution_id_of, outcome

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.triggers.base import BaseTrigger

__all__ = ["CloudElementsFormulaExecutionSensor"]


class CloudElementsFormulaExecutionSensor(CloudElementsBaseSensor):
    """Wait until an execution of a formula has ended.

    The task succeeds if the execution has succeeded. If it failed or was cancelled, the task fails without a
    retry, whatever ``soft_fail`` says. The sensor never starts or cancels an execution.

    :param execution_id: The execution's id: an integer, its digits, or what
        ``CloudElementsRunFormulaOperator`` returned. Templated.
    :param steps: Names of the steps whose values to return. Default: none. Templated.
    :param deferrable: Whether to wait in the triggerer, where it holds no worker. Default: Airflow's
        ``[operators] default_deferrable``.
    :param poll_interval: Seconds between two looks of a deferred sensor, at least 1. Default:
        ``poke_interval`` (60), but at least 10.
    :param cloudelements_conn_id: Connection of type ``cloudelements``. Templated.
    :param kwargs: Arguments of every Airflow sensor, such as ``mode`` and ``timeout``. Without ``timeout``
        the wait ends after Airflow's ``[sensors] default_timeout``: seven days, unless configured.
    :return: What :class:`CloudElementsRunFormulaOperator` returns: ``execution_id``, ``formula_instance_id``,
        ``status`` and ``outputs``.
    :raises CloudElementsFormulaError: The execution failed, or was cancelled. The message holds the errors of
        its steps.
    :raises CloudElementsNotFoundError: There is no such execution.
    :raises CloudElementsValidationError: An argument is malformed.
    :raises AirflowSensorTimeout: The wait took longer than ``timeout``.
    """

    template_fields: Collection[str] = ("cloudelements_conn_id", "execution_id", "steps")
    told_as = "execution"

    def __init__(
        self,
        *,
        execution_id: int | str | Mapping[str, Any],
        steps: Collection[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.execution_id = execution_id
        self.steps = steps

    def name_by_arguments(self) -> Any:
        """Return the id of the execution, for the copies of a mapped task."""
        given = self.execution_id
        return given.get("execution_id") if isinstance(given, Mapping) else given

    def look(self, context: Context) -> bool | PokeReturnValue:
        """Read the execution."""
        checked_steps(self.steps)
        execution = self.hook.get_conn().formulas.execution(execution_id_of(self.execution_id))
        if execution.ended:
            return PokeReturnValue(True, execution.as_json())
        self.log.info("Execution %d: %s.", execution.id, execution.status)
        return False

    def trigger(self, interval: float) -> BaseTrigger:
        """Return the trigger that waits for the execution."""
        from airflow_provider_cloudelements.triggers.formulas import CloudElementsFormulaExecutionTrigger

        return CloudElementsFormulaExecutionTrigger(
            cloudelements_conn_id=self.cloudelements_conn_id,
            execution_id=execution_id_of(self.execution_id),
            poll_interval=interval,
        )

    def found(self, context: Context, value: Any) -> Any:
        """Return the values of the steps, or fail as the execution did."""
        execution = FormulaExecution.from_json(value)
        self.log.info("Execution %d: %s.", execution.id, execution.status)
        with FinalFailures(self):
            try:
                return outcome(self.hook.get_conn().formulas, execution, checked_steps(self.steps))
            except CloudElementsFormulaError as error:
                error.final = True  # a later try would wait for the same execution
                raise
