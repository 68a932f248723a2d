"""Operator that runs a formula."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_provider_cloudelements.client import CloudElementsClient
from airflow_provider_cloudelements.client.arguments import dictionary, require_count
from airflow_provider_cloudelements.client.formulas import FormulaExecution
from airflow_provider_cloudelements.compat import task_state_store
from airflow_provider_cloudelements.connections import DEFAULT_CONN_ID
from airflow_provider_cloudelements.exceptions import (
    CloudElementsError,
    CloudElementsFormulaError,
    CloudElementsValidationError,
)
from airflow_provider_cloudelements.operators._parts.base import (
    CloudElementsBaseOperator,
    deferrable_or_default,
    longest_deferral,
    require_bool,
)
from airflow_provider_cloudelements.operators._parts.early_checks import EarlyChecks, count, seconds, switch
from airflow_provider_cloudelements.operators._parts.failures import told_in
from airflow_provider_cloudelements.operators._parts.json_lines import json_line
from airflow_provider_cloudelements.use.formulas import (
    FormulaTarget,
    StartMemory,
    checked_steps,
    outcome,
    start_once,
)

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_cloudelements.client.formulas import FormulasApi

__all__ = ["XCOM_EXECUTION_ID", "CloudElementsRunFormulaOperator"]

#: XCom key of the execution's id, pushed as soon as it is known.
XCOM_EXECUTION_ID = "execution_id"
#: Seconds for one call of a cancel on kill. Airflow ends the process some seconds after it asked it to end.
_PATIENCE = 4.0
#: Seconds between two looks at whether the task was killed.
_SLICE = 0.5


class CloudElementsRunFormulaOperator(EarlyChecks, CloudElementsBaseOperator):
    """Run a formula: start an execution of one of its instances, and wait until it has ended.

    Name the formula instance by ``formula_instance_id`` or ``formula_instance_name``; or name the formula,
    if it has one active instance. A name must be whole, and only one thing may have it. With both, the
    instance must be of the formula.

    The operator sends a start once. On Airflow 3.3 a retry takes up the execution that an earlier try
    started. If the task is killed or takes too long, the operator cancels the execution.

    :param formula_instance_id: Id of the formula instance. Templated.
    :param formula_instance_name: Name of the formula instance, instead of its id. Templated.
    :param formula_id: Id of the formula. It differs from account to account. Templated.
    :param formula_name: Name of the formula, instead of its id. Templated.
    :param payload: What the formula's trigger gets: a dictionary. The rendered fields show its keys. Default:
        an empty one. Templated.
    :param steps: Names of the steps whose values to return. Default: none. Templated.
    :param wait: Whether to wait until the execution has ended. Default: ``True``.
    :param deferrable: Whether to wait in the triggerer, where it holds no worker. A killed deferred task
        cancels nothing. Default: Airflow's ``[operators] default_deferrable``.
    :param poke_interval: Seconds between two looks, at least 1. Default: 10.
    :param timeout: Seconds after which a try cancels the execution and fails, from 1 on. Default: 86,400 (a
        day).
    :param max_xcom_bytes: Most bytes to return, as JSON. Default: 262,144.
    :param cloudelements_conn_id: Connection of type ``cloudelements``. Templated.
    :return: ``execution_id``, ``formula_instance_id``, ``status`` and ``outputs``: for each of ``steps`` the
        values of the step by their keys, as the platform writes both, or ``None`` if the step did not run.
    :raises CloudElementsFormulaError: The execution failed or was cancelled, it took longer than ``timeout``,
        or the task was killed. The message holds the errors of the steps.
    :raises CloudElementsAmbiguousCreateError: The answer of the start was lost. The task fails without a
        retry if an execution has begun since.
    :raises CloudElementsNotFoundError: There is no such formula or instance.
    :raises CloudElementsConflictError: Several have the name, or the formula has several active instances.
    :raises CloudElementsValidationError: An argument is malformed, or there is more than the limits allow.
    :raises CloudElementsError: A call failed.
    """

    template_fields: Collection[str] = (
        "cloudelements_conn_id",
        "formula_instance_id",
        "formula_instance_name",
        "formula_id",
        "formula_name",
        "payload",
        "steps",
    )
    secret_fields = ("payload",)
    wholly_secret_fields = secret_fields
    checks = {
        "wait": switch("wait"),
        "poke_interval": seconds("poke_interval", 1),
        "timeout": seconds("timeout", 1),
        "deferrable": deferrable_or_default,
        "max_xcom_bytes": count("max_xcom_bytes", 1),
    }

    #: The execution that the task waits for, for :meth:`on_kill`.
    _running: int | None = None
    _killed = False

    def __init__(
        self,
        *,
        formula_instance_id: int | str | Mapping[str, Any] | None = None,
        formula_instance_name: str | None = None,
        formula_id: int | str | None = None,
        formula_name: str | None = None,
        payload: Mapping[str, Any] | None = None,
        steps: Collection[str] | None = None,
        wait: bool = True,
        deferrable: bool | None = None,
        poke_interval: float = 10.0,
        timeout: float = 86_400.0,
        max_xcom_bytes: int = 262_144,
        cloudelements_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(cloudelements_conn_id=cloudelements_conn_id, **kwargs)
        self.formula_instance_id = formula_instance_id
        self.formula_instance_name = formula_instance_name
        self.formula_id = formula_id
        self.formula_name = formula_name
        self.payload = payload
        self.steps = steps
        self.wait = require_bool("wait", wait)
        self.deferrable = self.checks["deferrable"](deferrable)
        self.poke_interval = self.checks["poke_interval"](poke_interval)
        self.timeout: float = self.checks["timeout"](timeout)
        self.max_xcom_bytes = require_count("max_xcom_bytes", max_xcom_bytes)

    def name_by_arguments(self) -> Any:
        """Return the name or id of the formula instance or the formula, for the copies of a mapped task."""
        ways = ("formula_instance_name", "formula_instance_id", "formula_name", "formula_id")
        return next((given for name in ways if (given := getattr(self, name))), None)

    def perform(self, context: Context) -> dict[str, Any]:
        """Start the execution, or take it up, and wait for it."""
        steps, payload = checked_steps(self.steps), dictionary("payload", self.secret("payload"))
        target = FormulaTarget(
            self.formula_id, self.formula_name, self.formula_instance_id, self.formula_instance_name
        )
        api = self.hook.get_conn().formulas
        number, name = target.find(api, steps)
        self.found_name = name or str(number)
        ti = context.get("ti")
        memory = StartMemory(task_state_store(context), getattr(ti, "max_tries", 0))
        execution = start_once(api, number, payload, memory, self._pause)
        self._running = execution.id
        if self._killed:  # before the id was known
            self._cancel(execution.id)
        self.log.info("Execution %d of formula instance %d (%s).", execution.id, number, self.found_name)
        if self.do_xcom_push and ti is not None:
            ti.xcom_push(key=XCOM_EXECUTION_ID, value=execution.id)
        if self.wait and self.deferrable:
            execution = api.execution(execution.id)
            if not execution.ended:
                self._defer(execution)
        elif self.wait:
            execution = self._ended(api, execution)
        return self._outcome(api, execution)

    def _defer(self, execution: FormulaExecution) -> NoReturn:
        """Wait in the triggerer."""
        from airflow_provider_cloudelements.triggers.formulas import CloudElementsFormulaExecutionTrigger

        self._require_alive()
        # Everything goes into the trigger, because dag.test() drops the arguments of the method.
        self.defer(
            trigger=CloudElementsFormulaExecutionTrigger(
                cloudelements_conn_id=self.cloudelements_conn_id,
                execution_id=execution.id,
                poll_interval=self.poke_interval,
                end_at=time.time() + longest_deferral(self, self.timeout)[0],
            ),
            method_name="execute_complete",
        )

    def execute_complete(self, context: Context, event: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Go on after the trigger's event. A missing or unknown event is a failure.

        :param context: The task's context.
        :param event: The trigger's event.
        """
        with self.final_failures():
            self._require_hidden_fields(context)
            told = told_in(event)
            api = self.hook.get_conn().formulas
            if told.get("late"):
                execution = self._late(api, api.execution(told["late"]))
            elif told.get("execution"):
                execution = FormulaExecution.from_json(told["execution"])
            else:
                raise CloudElementsError("The trigger ended without the result of the wait.")
            return self._outcome(api, execution)

    def _outcome(self, api: FormulasApi, execution: FormulaExecution) -> dict[str, Any]:
        steps, payload = checked_steps(self.steps), dictionary("payload", self.secret("payload"))
        value = outcome(api, execution, steps, payload)
        if len(json_line(value)) > self.max_xcom_bytes:
            raise CloudElementsValidationError(
                f"Execution {execution.id} ended with {execution.status}, and the values of its steps have "
                f"more than {self.max_xcom_bytes} bytes (max_xcom_bytes): name fewer in steps."
            )
        self._require_alive()
        self._running = None
        return value

    def _ended(self, api: FormulasApi, execution: FormulaExecution) -> FormulaExecution:
        """Wait until an execution has ended. Faults that may pass are waited through."""
        end = time.monotonic() + self.timeout
        seen = execution.status
        while not execution.ended:
            self._require_alive()
            left = end - time.monotonic()
            if left <= 0:
                return self._late(api, execution)
            self._pause(min(self.poke_interval, left))
            try:
                execution = api.execution(execution.id)
            except CloudElementsError as error:
                if not error.retryable:
                    raise
                self.log.warning("The status is not known this time: %s", error)
            if execution.status != seen:
                seen = execution.status
                self.log.info("Execution %d: %s.", execution.id, seen)
        return execution

    def _late(self, api: FormulasApi, execution: FormulaExecution) -> FormulaExecution:
        """Cancel an execution that takes too long. Return it if it has ended by itself just now."""
        try:
            api.cancel(execution.id)
            done = "the operator cancelled it."
        except CloudElementsError as error:
            found = api.execution(execution.id)
            if found.ended:
                return found
            done = f"it could not be cancelled: {error}"
        longest, name = longest_deferral(self, self.timeout)
        raise CloudElementsFormulaError(
            f"Execution {execution.id} took longer than the {name} of {longest:g} seconds; {done}",
            execution_id=execution.id,
            execution_status=execution.status,
        )

    def on_kill(self) -> None:
        """Cancel the execution. Airflow calls this in a signal handler, and ``execute`` goes on after it."""
        self._killed = True
        if self._running is not None:
            self._cancel(self._running)

    def _cancel(self, execution_id: int) -> None:
        """Cancel an execution in a thread of its own.

        The signal may have come in the midst of a call, whose locks this thread still holds.
        """
        settings = self.hook.settings
        quick = replace(settings, request_timeout=min(settings.request_timeout, _PATIENCE), max_retries=0)
        said: list[str] = []

        def work() -> None:
            try:
                with CloudElementsClient(quick) as client:
                    client.formulas.cancel(execution_id)
                said.append(f"Execution {execution_id} was cancelled.")
            except CloudElementsError as error:
                said.append(f"Execution {execution_id} could not be cancelled: {error}")

        thread = threading.Thread(target=work, name="cloudelements-cancel", daemon=True)
        thread.start()
        thread.join(2 * _PATIENCE)
        self.log.info(said[0] if said else f"Nothing shows whether execution {execution_id} was cancelled.")

    def _pause(self, seconds: float) -> None:
        """Sleep, but notice within :data:`_SLICE` that the task was killed."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._require_alive()
            time.sleep(min(left, _SLICE))
        self._require_alive()

    def _require_alive(self) -> None:
        """Require that nobody killed the task: a killed one must not report success.

        :raises CloudElementsFormulaError: Somebody did.
        """
        if self._killed:
            raise CloudElementsFormulaError(
                "The task was killed while its formula ran.", execution_id=self._running
            )
