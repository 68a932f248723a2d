"""The base of all operators.

It gives them one hook, keeps secrets out of the rendered fields, and reports failures that a retry cannot fix
as ``AirflowFailException``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from contextlib import AbstractContextManager
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseOperator

from airflow_provider_cloudelements.client.wire.request import is_number
from airflow_provider_cloudelements.client.wire.secrecy import secret_values, shown
from airflow_provider_cloudelements.compat import default_deferrable, mask_secret
from airflow_provider_cloudelements.connections import DEFAULT_CONN_ID
from airflow_provider_cloudelements.hooks.cloudelements import CloudElementsHook
from airflow_provider_cloudelements.operators._parts.copy_names import NamedCopies
from airflow_provider_cloudelements.operators._parts.failures import FinalFailures, initialise
from airflow_provider_cloudelements.operators._parts.picklable import Picklable
from airflow_provider_cloudelements.operators._parts.rendering import LetterByLetter
from airflow_provider_cloudelements.operators._parts.secret_fields import (
    KeptValues,
    constructing,
    end_for_unknown_rendering,
    literal_keys,
)

if TYPE_CHECKING:
    import jinja2
    from airflow.sdk import Context


class CloudElementsBaseOperator(Picklable, LetterByLetter, NamedCopies, BaseOperator):
    """Base of the operators. Subclasses write :meth:`perform`.

    :param cloudelements_conn_id: Connection of type ``cloudelements``. Templated.
    """

    template_fields: Collection[str] = ("cloudelements_conn_id",)
    #: Template fields whose value is, or holds, a secret. The operator moves the rendered values aside before
    #: Airflow stores the rendered fields, and leaves asterisks in their place.
    secret_fields: ClassVar[tuple[str, ...]] = ()
    #: Fields among ``secret_fields`` in which every value is a secret, whatever its key.
    wholly_secret_fields: ClassVar[tuple[str, ...]] = ()
    #: Fields among ``secret_fields`` that hold the value of one configuration key, which decides what is
    #: shown.
    fields_of_keys: ClassVar[Mapping[str, str]] = {}

    ui_color = "#d5ecf6"

    def __init__(self, *, cloudelements_conn_id: str = DEFAULT_CONN_ID, **kwargs: Any) -> None:
        initialise(self, super().__init__, kwargs)
        self.cloudelements_conn_id = cloudelements_conn_id

    @cached_property
    def hook(self) -> CloudElementsHook:
        """The hook of the connection."""
        return CloudElementsHook(self.cloudelements_conn_id)

    def execute(self, context: Context) -> Any:
        """Do the work.

        :raises AirflowFailException: A retry cannot fix the failure, and the task has no ``retry_policy``,
            which would decide by itself.
        :raises CloudElementsError: Any other failure.
        """
        with self.final_failures():
            self._require_hidden_fields(context)
            return self.perform(context)

    def perform(self, context: Context) -> Any:
        """Do the operator's own work."""
        raise NotImplementedError(f"{type(self).__name__} has no perform()")

    def final_failures(self) -> AbstractContextManager[None]:
        """Return :class:`FinalFailures` of this task."""
        return FinalFailures(self)

    def secret(self, field: str) -> Any:
        """Return the rendered value of a secret field.

        :param field: The field's name. Its attribute holds what may be shown, once the fields are rendered.
        :raises CloudElementsValidationError: The operator came from a pickle made after the rendering.
        """
        kept = self._kept
        return kept.value(field) if field in kept.names else getattr(self, field)

    def render_template_fields(self, context: Context, jinja_env: jinja2.Environment | None = None) -> None:
        """Render the fields, and end the task if that did not go through :meth:`_do_render_template_fields`.

        :raises AirflowFailException: This release of Airflow renders in another way, which would show
            secrets.
        """
        self.__dict__["_fields_hidden"] = False
        super().render_template_fields(context, jinja_env)
        if self.secret_fields and not self.__dict__["_fields_hidden"]:
            raise end_for_unknown_rendering(self.task_id)

    def __setattr__(self, key: str, value: Any) -> None:
        """Set an attribute. Nothing but this class sets a secret field once the task runs.

        Airflow's rendering does not call our method by a public name. If it no longer does, this is where it
        ends, before the rendered values are stored.
        """
        if key in self.secret_fields and self._is_foreign_rendering():
            raise end_for_unknown_rendering(self.task_id)
        super().__setattr__(key, value)

    def _is_foreign_rendering(self) -> bool:
        if self.__dict__.get("_renders"):
            return False
        if getattr(self, "_BaseOperator__from_mapped", False):  # Airflow makes these in the running task
            return not constructing(self)
        return bool(getattr(self, "_lock_for_execution", False))

    def _require_hidden_fields(self, context: Context) -> None:
        """Check that the running task's own fields were rendered by :meth:`_do_render_template_fields`."""
        ti = context.get("ti") if context else None
        runs = getattr(ti, "task", None) is self and type(ti).__module__.startswith("airflow.")
        if runs and self.secret_fields and not self.__dict__.get("_fields_hidden"):
            raise end_for_unknown_rendering(self.task_id)

    @property
    def _kept(self) -> KeptValues:
        kept: KeptValues = self.__dict__.get("_kept_values") or KeptValues({})
        return kept

    def _do_render_template_fields(
        self,
        parent: Any,
        template_fields: Iterable[str],
        context: Context,
        jinja_env: jinja2.Environment,
        seen_oids: set[int],
    ) -> None:
        """Render the fields, then move the values of secret fields aside.

        Airflow stores the rendered fields before ``execute`` runs. It masks by key name and by values that
        are registered already. Ours are not registered yet, and Airflow 3.1 and 3.2 do not know dotted names.
        """
        if parent is not self:
            super()._do_render_template_fields(parent, template_fields, context, jinja_env, seen_oids)
            return
        secret = [field for field in template_fields if field in self.secret_fields]
        plain = [field for field in template_fields if field not in secret]
        super()._do_render_template_fields(parent, plain, context, jinja_env, seen_oids)
        self.__dict__["_renders"] = True
        try:
            self._render_secret_fields(secret, context, jinja_env, seen_oids)
        finally:
            self.__dict__["_renders"] = False
        self.__dict__["_fields_hidden"] = True

    def _render_secret_fields(
        self, fields: list[str], context: Context, jinja_env: jinja2.Environment, seen_oids: set[int]
    ) -> None:
        # If the fields were rendered before, as by an operator that wraps this one, they hold asterisks: the
        # operator would send these as values.
        before = {field: self._kept.value(field) for field in self._kept.names}
        kept: dict[str, Any] = {}
        for field in fields:
            written = before.get(field, getattr(self, field))
            if written in (None, "", {}, []):
                continue
            value = self._rendered(field, written, context, jinja_env, seen_oids)
            visible = self._visible(field, value)
            if value != visible:
                kept[field] = value
            setattr(self, field, visible)
            # A mapped task's values do not stand in the source, although no template was rendered.
            if field not in before and not getattr(self, "_BaseOperator__from_mapped", False):
                self._warn_of_literals(field, written, value)
        self.__dict__["_kept_values"] = KeptValues(kept)
        self._forget_arguments()

    def _rendered(
        self, field: str, written: Any, context: Context, jinja_env: jinja2.Environment, seen_oids: set[int]
    ) -> Any:
        """Render a secret field. Airflow's own method logs the field if its template is faulty."""
        if callable(written):
            return written(context=context, jinja_env=jinja_env)
        try:
            value = self.render_template(written, context, jinja_env, seen_oids)
        except Exception:
            self.log.error("The template of field %r could not be rendered.", field)
            raise
        return self._as_collection(field, written, value, jinja_env)

    def _visible(self, field: str, value: Any) -> Any:
        if key := self.fields_of_keys.get(field):
            return shown({key: value})[key]
        return shown(value, hide_all=field in self.wholly_secret_fields)

    def _forget_arguments(self) -> None:
        """Hide secret fields among the arguments of ``__init__``, which Airflow keeps."""
        arguments = self.__dict__.get("_BaseOperator__init_kwargs")
        if isinstance(arguments, dict):
            hidden = {field: getattr(self, field) for field in self.secret_fields if field in arguments}
            # The original task, which Airflow copies for each try, has the same dictionary.
            self.__dict__["_BaseOperator__init_kwargs"] = {**arguments, **hidden}

    def _warn_of_literals(self, field: str, written: Any, rendered: Any) -> None:
        instead = (
            "Put it into a connection of type cloudelements_element instead."
            if "element_conn_id" in self.template_fields
            else "Put it into a connection, and a template of it here: '{{ conn.my_login.password }}'."
        )
        for key in literal_keys(written, rendered):
            self.log.warning(
                "%s[%r] holds a secret as written in the DAG's source, where everyone who sees the DAG "
                "can read it. %s",
                field,
                key,
                instead,
            )


def mask_given(configuration: Mapping[str, Any], login: Mapping[str, Any] | None = None) -> None:
    """Register everything among a task's arguments that may not be shown with Airflow's masker.

    :param configuration: Configuration keys and values, or the parameters of a consent link.
    :param login: Values of a vendor's login: secret as a whole.
    """
    for secret in secret_values({"providerData": login or {}, "configuration": configuration}):
        mask_secret(secret)


def require_bool(name: str, value: Any) -> bool:
    """Check a switch when the DAG is parsed.

    :raises TypeError: It is not a boolean. Switches are not templated, since any rendered text would be true.
    """
    if not isinstance(value, bool):
        raise TypeError(
            f"{name} must be True or False without quotes, not of type {type(value).__name__}; it is not "
            "templated."
        )
    return value


def deferrable_or_default(value: Any) -> bool:
    """Check the switch ``deferrable``. ``None`` is Airflow's ``[operators] default_deferrable``.

    :raises TypeError: It is not a boolean.
    """
    return require_bool("deferrable", default_deferrable() if value is None else value)


def longest_deferral(operator: BaseOperator, timeout: float) -> tuple[float, str]:
    """Return the seconds for which a deferred operator waits, and the argument that says so.

    Airflow heeds ``execution_timeout`` in the worker only.

    :param operator: The operator.
    :param timeout: Its own ``timeout``, in seconds.
    """
    allowed = execution_seconds(operator)
    if allowed is None or timeout <= allowed:
        return timeout, "timeout"
    return allowed, "execution_timeout"


def execution_seconds(operator: BaseOperator) -> float | None:
    """Return the ``execution_timeout`` of a task in seconds.

    :param operator: The operator or sensor.
    :return: ``None`` if there is none: Airflow's worker heeds no ``timedelta(0)`` either.
    """
    return operator.execution_timeout.total_seconds() if operator.execution_timeout else None


def require_choice(name: str, value: Any, choices: tuple[str, ...]) -> str:
    """Check an argument that is one of a few words.

    :raises ValueError: It is another word.
    """
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}; it is not templated.")
    return str(value)


def require_seconds(name: str, value: Any) -> float | None:
    """Check an argument that is a number of seconds or ``None``.

    :raises ValueError: It is something else.
    """
    if value is None:
        return None
    if not is_number(value):
        raise ValueError(
            f"{name} must be a number of seconds from 0 to 100 years, or None; it is not templated."
        )
    return value
