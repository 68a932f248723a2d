"""The base of all operators.

It gives them one hook, keeps secrets out of the rendered fields, and reports failures that a retry cannot fix
as ``AirflowFailException``.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseOperator

from airflow_provider_cloudelements.client.wire.secrecy import (
    ASTERISKS,
    is_secret_key,
    is_shown_key,
    secret_values,
)
from airflow_provider_cloudelements.compat import AirflowFailException, mask_secret
from airflow_provider_cloudelements.connections import DEFAULT_CONN_ID
from airflow_provider_cloudelements.exceptions import CloudElementsError
from airflow_provider_cloudelements.hooks.cloudelements import CloudElementsHook
from airflow_provider_cloudelements.operators._parts.picklable import Picklable
from airflow_provider_cloudelements.operators._parts.rendering import LetterByLetter

if TYPE_CHECKING:
    import jinja2
    from airflow.sdk import Context


class CloudElementsBaseOperator(Picklable, LetterByLetter, BaseOperator):
    """Base of the operators. Subclasses write :meth:`perform`.

    :param cloudelements_conn_id: Connection of type ``cloudelements``. Templated.
    """

    template_fields: Collection[str] = ("cloudelements_conn_id",)
    #: Template fields whose value is, or holds, a secret. The operator moves the rendered values aside before
    #: Airflow stores the rendered fields, and leaves asterisks in their place.
    secret_fields: ClassVar[tuple[str, ...]] = ()
    #: Fields among ``secret_fields`` in which every value is a secret, whatever its key.
    wholly_secret_fields: ClassVar[tuple[str, ...]] = ()

    ui_color = "#d5ecf6"

    def __init__(self, *, cloudelements_conn_id: str = DEFAULT_CONN_ID, **kwargs: Any) -> None:
        super().__init__(**kwargs)
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
            return self.perform(context)

    def perform(self, context: Context) -> Any:
        """Do the operator's own work."""
        raise NotImplementedError(f"{type(self).__name__} has no perform()")

    def final_failures(self) -> AbstractContextManager[None]:
        """Turn a failure that a retry cannot fix into an ``AirflowFailException`` from the original."""
        return final_failures(self)

    def secret(self, field: str) -> Any:
        """Return the rendered value of a secret field.

        :param field: The field's name. Its attribute holds asterisks once the fields are rendered.
        """
        aside: dict[str, Any] = self.__dict__.get("_secrets_aside", {})
        return aside.get(field, getattr(self, field))

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
        # If the fields were rendered before, as by an operator that wraps this one, they hold asterisks: the
        # operator would send these as values.
        before: dict[str, Any] = self.__dict__.get("_secrets_aside", {})
        for field, value in before.items():
            setattr(self, field, value)
        written = {field: getattr(parent, field, None) for field in self.secret_fields}
        super()._do_render_template_fields(parent, template_fields, context, jinja_env, seen_oids)
        if parent is not self:
            return
        aside: dict[str, Any] = {}
        for field in self.secret_fields:
            value = getattr(self, field)
            if value in (None, "", {}):
                continue
            aside[field] = value
            setattr(self, field, _masked(value, everything=field in self.wholly_secret_fields))
            # A mapped task's values do not stand in the source, although no template was rendered.
            if field not in before and not getattr(self, "_BaseOperator__from_mapped", False):
                self._warn_of_literals(field, written[field], value)
        self.__dict__["_secrets_aside"] = aside

    def _warn_of_literals(self, field: str, written: Any, rendered: Any) -> None:
        if not isinstance(written, Mapping) or not isinstance(rendered, Mapping):
            return
        for key, value in rendered.items():
            if is_secret_key(str(key)) and isinstance(value, str) and value and written.get(key) == value:
                self.log.warning(
                    "%s[%r] holds a secret as written in the DAG's source, where everyone who sees the DAG "
                    "can read it. Put it into a connection of type cloudelements_element instead.",
                    field,
                    key,
                )


@contextmanager
def final_failures(task: BaseOperator) -> Iterator[None]:
    """Turn a failure that a retry cannot fix into an ``AirflowFailException`` from the original.

    :param task: The operator or sensor. One with a ``retry_policy`` gets the original, to decide by itself,
        unless it is a sensor with ``silent_fail``, which would log the original and go on.
    """
    try:
        yield
    except CloudElementsError as error:
        judges = getattr(task, "retry_policy", None) is not None and not getattr(task, "silent_fail", False)
        if error.retryable or judges:
            raise
        final = AirflowFailException(f"{type(error).__name__}: {error}")
        # For a callback, which gets this exception and not its cause.
        final.instance_id = error.instance_id  # type: ignore[attr-defined]
        raise final from error


def _masked(value: Any, *, everything: bool = False, top: bool = True) -> Any:
    """Return a field's value with asterisks for secrets, inside dictionaries and lists too."""
    if isinstance(value, Mapping):
        return {
            key: _masked(each, everything=everything or _hides(str(key), each, top), top=False)
            for key, each in value.items()
        }
    if isinstance(value, list | tuple) and not top:
        return [_masked(each, everything=everything, top=False) for each in value]
    # A field that is no dictionary is malformed, and may hold anything.
    return ASTERISKS if (everything or top) and value not in (None, "") else value


def _hides(key: str, value: Any, top: bool) -> bool:
    if is_secret_key(key):
        return True
    # Elements have keys of their own: at the top this shows only keys that are known to hold no secret.
    return top and not is_shown_key(key) and not isinstance(value, bool | int | float)


def mask_given(configuration: Mapping[str, Any], login: Mapping[str, Any] | None = None) -> None:
    """Register the secrets among a task's arguments with Airflow's masker.

    :param configuration: Configuration keys and values.
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
            f"{name} must be True or False, not of type {type(value).__name__}; it is not templated."
        )
    return value


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
    # nan is neither less nor more than any number: a wait for nan seconds would never end.
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise ValueError(f"{name} must be a number of seconds from 0 on, or None; it is not templated.")
    return value
