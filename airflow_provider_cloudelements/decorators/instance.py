"""``@task.cloudelements``: a function gets a client bound to one instance."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.decorators.python import _PythonDecoratedOperator
from airflow.sdk.bases.decorator import task_decorator_factory

from airflow_provider_cloudelements.client.plain import fitted
from airflow_provider_cloudelements.connections import DEFAULT_CONN_ID
from airflow_provider_cloudelements.hooks.cloudelements import CloudElementsHook
from airflow_provider_cloudelements.operators._parts.failures import FinalFailures
from airflow_provider_cloudelements.operators._parts.rendering import LetterByLetter

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.sdk.bases.decorator import TaskDecorator

__all__ = ["cloudelements_task"]

#: The function's parameter that gets the client.
_CLIENT = "instance"


class _CloudElementsDecoratedOperator(LetterByLetter, _PythonDecoratedOperator):
    """The task of a decorated function."""

    custom_operator_name = "@task.cloudelements"
    template_fields = (
        *_PythonDecoratedOperator.template_fields,
        "cloudelements_conn_id",
        "instance_id",
    )
    ui_color = "#d5ecf6"

    def __init__(
        self,
        *,
        instance_id: int | str | Mapping[str, Any],
        cloudelements_conn_id: str = DEFAULT_CONN_ID,
        python_callable: Callable[..., Any],
        op_args: Collection[Any] | None = None,
        op_kwargs: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        given, named = list(op_args or ()), dict(op_kwargs or {})
        if _CLIENT in named:
            raise TypeError(
                f"@task.cloudelements gives the parameter {_CLIENT!r}: do not give it in the call."
            )
        self._place = _place_of_client(python_callable, len(given))
        # Airflow checks the call against the signature when the DAG is parsed: the client has a place there.
        if self._place is None:
            named[_CLIENT] = None
        else:
            given.insert(self._place, None)
        super().__init__(python_callable=python_callable, op_args=given, op_kwargs=named, **kwargs)
        self.instance_id = instance_id
        self.cloudelements_conn_id = cloudelements_conn_id

    def execute(self, context: Context) -> Any:
        with FinalFailures(self, self.python_callable):
            client = CloudElementsHook(self.cloudelements_conn_id).instance(self.instance_id)
            if self._place is None:
                self.op_kwargs = {**self.op_kwargs, _CLIENT: client}
            else:
                rendered = list(self.op_args)
                rendered[self._place] = client
                self.op_args = rendered
            return fitted(super().execute(context))


def _place_of_client(function: Callable[..., Any], given: int) -> int | None:
    """Return the client's place among the positional arguments of a call; ``None`` if it goes by its name.

    :param function: The function.
    :param given: How many positional arguments the call has.
    :raises TypeError: The function has no parameter for the client.
    """
    parameters = inspect.signature(function).parameters
    kind = parameters[_CLIENT].kind if _CLIENT in parameters else None
    if kind in (None, inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD):
        raise TypeError(
            f"A function under @task.cloudelements needs a parameter named {_CLIENT!r}, for the client."
        )
    place = list(parameters).index(_CLIENT)
    if kind is inspect.Parameter.POSITIONAL_ONLY:
        return min(place, given)
    return place if kind is inspect.Parameter.POSITIONAL_OR_KEYWORD and given > place else None


def _function(given: Any) -> Any:
    """Return what is decorated.

    :raises TypeError: Airflow has no name for its task.
    """
    if not callable(given) or not hasattr(given, "__name__"):
        raise TypeError(
            "@task.cloudelements decorates a function that is written with def, and not an object of type "
            f"{type(given).__name__}."
        )
    return given


def cloudelements_task(
    python_callable: Callable[..., Any] | None = None, multiple_outputs: bool | None = None, **kwargs: Any
) -> TaskDecorator:
    """Make a function a task that gets a client bound to one instance, as its parameter ``instance``.

    In a DAG it is ``@task.cloudelements(instance_id=...)``. The client fetches the instance's token when it
    first needs it, and Airflow masks it. A failure that a retry cannot fix ends the task at once.

    :param python_callable: The function. Airflow gives it.
    :param multiple_outputs: Whether a returned dictionary becomes an XCom for each key. Default: ``False``.
    :param instance_id: The instance's id: an integer, its digits, or what the create operator returned.
        Templated.
    :param cloudelements_conn_id: Connection of type ``cloudelements``. Templated.
    """
    decorate: Any = task_decorator_factory(
        multiple_outputs=multiple_outputs, decorated_operator_class=_CloudElementsDecoratedOperator, **kwargs
    )

    def decorator(given: Any) -> Any:
        return decorate(_function(given))

    decorated: Any = decorator if python_callable is None else decorator(python_callable)
    return decorated  # type: ignore[no-any-return]  # Airflow's protocol is that of a bare decorator
