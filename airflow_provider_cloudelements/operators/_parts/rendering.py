"""Render template fields letter by letter, in a DAG that renders native objects as well.

With ``render_template_as_native_obj=True`` Airflow reads each rendered text as a Python literal: the key
``1.10`` becomes the number 1.1, the code ``0123`` stays a text and ``2024`` does not. No later step can turn
the number back into the text that was meant.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    import jinja2
    from airflow.sdk import BaseOperator, Context

    _Base = BaseOperator
else:
    _Base = object


class OwnRendering(_Base):
    """Base of what does more than Airflow when an operator or sensor renders its own template fields.

    Airflow calls the same method for the fields of objects inside the fields, which are left to Airflow.
    """

    def _do_render_template_fields(
        self,
        parent: Any,
        template_fields: Iterable[str],
        context: Context,
        jinja_env: jinja2.Environment,
        seen_oids: set[int],
    ) -> None:
        fields = tuple(template_fields)
        written = {field: getattr(self, field, None) for field in fields} if parent is self else {}
        super()._do_render_template_fields(parent, fields, context, jinja_env, seen_oids)
        if parent is self:
            self._after_rendering(written, context, jinja_env)

    def _after_rendering(
        self, written: Mapping[str, Any], context: Context, jinja_env: jinja2.Environment
    ) -> None:
        """Do what follows the rendering of this task's own fields.

        :param written: What the fields held before.
        :param context: The task's context.
        :param jinja_env: The environment of the DAG's templates.
        """


class LetterByLetter(OwnRendering):
    """Base of operators and sensors that keep a rendered text as it is. Name it before Airflow's base class.

    A template that is one expression still gives the object of this expression, such as the dictionary in
    ``{{ ti.xcom_pull("create") }}``, if the DAG renders native objects. Only texts are not read as Python.
    """

    #: Template fields that never take a text. In a DAG that renders native objects, a text that is a Python
    #: literal of a list or a dictionary still becomes this list or dictionary, as Airflow does it.
    collection_fields: ClassVar[tuple[str, ...]] = (
        "add_tags",
        "configuration",
        "event_configuration",
        "event_objects",
        "event_types",
        "fields",
        "force",
        "instance_ids",
        "object_types",
        "parameters",
        "payload",
        "poller_configuration",
        "poller_urls",
        "provider_data",
        "query",
        "remove_tags",
        "steps",
        "tags",
        "where",
    )

    def _render(self, template: jinja2.Template, context: Context, dag: Any = None) -> Any:
        """Render one template. Airflow calls it for each text in a template field."""
        return rendered(template, context)

    def _after_rendering(
        self, written: Mapping[str, Any], context: Context, jinja_env: jinja2.Environment
    ) -> None:
        """Read lists and dictionaries that are written as texts."""
        super()._after_rendering(written, context, jinja_env)
        for field, before in written.items():
            value = getattr(self, field)
            if (read := self._as_collection(field, before, value, jinja_env)) is not value:
                setattr(self, field, read)

    def _as_collection(self, field: str, written: Any, value: Any, jinja_env: jinja2.Environment) -> Any:
        """Return a field's rendered value, read as a list or a dictionary if it is one written as a text."""
        if field not in self.collection_fields or not is_native(jinja_env):
            return value
        return _collection(value) if isinstance(written, str) and isinstance(value, str) else value


def rendered(template: jinja2.Template, context: Context) -> Any:
    """Render a template as Airflow does, without reading the text as a Python literal.

    :param template: The template, of an environment that renders texts or native objects.
    :param context: The task's context.
    :return: The object of the template's only expression, if the environment keeps objects; else a text.
    """
    from jinja2 import Undefined

    values = copy.copy(context)  # Airflow does so, too: a dict would resolve every value of its context
    environment = template.environment
    for name, value in template.globals.items():
        values.setdefault(name, value)  # type: ignore[misc]
    try:
        nodes: list[Any] = list(
            template.root_render_func(
                environment.context_class(environment, values, template.name, template.blocks)  # type: ignore[arg-type]
            )
        )
    except Exception:
        environment.handle_exception()  # it raises the error with the template's lines in its traceback
    if len(nodes) == 1 and not isinstance(nodes[0], str | Undefined):
        return nodes[0]
    return "".join(str(node) for node in nodes)


def is_native(jinja_env: jinja2.Environment) -> bool:
    """Say whether a DAG's templates give native objects."""
    from jinja2.nativetypes import NativeEnvironment

    return isinstance(jinja_env, NativeEnvironment)


def _collection(text: str) -> Any:
    """Return the list or dictionary that a text is the Python literal of; else the text."""
    try:
        value = ast.literal_eval(ast.parse(text, mode="eval"))
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text
    return value if isinstance(value, list | tuple | set | Mapping) else text
