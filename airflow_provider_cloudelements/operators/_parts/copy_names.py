"""Name the copies of a mapped task by the instance that each of them works on.

Airflow shows a copy by its index, unless the task has a ``map_index_template``. Operators and sensors give
themselves one: the name of the instance. A template of the DAG author's own wins.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_cloudelements.client.plain import plain_text
from airflow_provider_cloudelements.client.wire.secrecy import one_line
from airflow_provider_cloudelements.compat import masked
from airflow_provider_cloudelements.operators._parts.rendering import OwnRendering, is_native

if TYPE_CHECKING:
    import jinja2
    from airflow.sdk import Context

#: Most characters that Airflow's database takes.
LONGEST_NAME = 250
TEMPLATE = "{{ task.copy_name }}"
#: In a DAG that renders native objects, the name ``12`` would become a number, for which Airflow fails the
#: task. The filter writes a text as the Python literal that Airflow reads back.
NATIVE_TEMPLATE = "{{ task.copy_name | pprint }}"


class NamedCopies(OwnRendering):
    """Base of operators and sensors whose mapped copies have names. Name it before Airflow's base class."""

    #: Set by a run: the instance's name, as the platform holds it.
    found_name: str | None = None
    _index_of_copy = -1

    @property
    def copy_name(self) -> str:
        """The name that Airflow shows for this copy of a mapped task, at most 250 characters in one line.

        Airflow stores it unmasked, so each value that its masker knows is masked here.
        """
        name = self.found_name or self.name_by_arguments()
        text = one_line(masked(plain_text(str(name)))) if name not in (None, "") else ""
        return text[:LONGEST_NAME] or str(self._index_of_copy)

    def name_by_arguments(self) -> Any:
        """Return the instance's name, key or id as far as the rendered arguments say it; else ``None``."""
        given = getattr(self, "instance_id", None)
        if isinstance(given, Mapping):
            given = given.get("name") or given.get("id")
        return given or getattr(self, "instance_key", None) or getattr(self, "tag", None)

    def _after_rendering(
        self, written: Mapping[str, Any], context: Context, jinja_env: jinja2.Environment
    ) -> None:
        """Give a copy of a mapped task its name unless the DAG's author did.

        Only the context serves on all lines of Airflow: a mapped task takes no default of an argument from
        the class of its operator.
        """
        super()._after_rendering(written, context, jinja_env)
        index = getattr(context.get("ti"), "map_index", None)
        if isinstance(index, int) and index >= 0:
            self._index_of_copy = index
            if context.get("map_index_template") is None:
                context["map_index_template"] = NATIVE_TEMPLATE if is_native(jinja_env) else TEMPLATE
