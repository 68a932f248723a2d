"""The arguments that select events, of the operator that reads them and the sensor that waits for them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from airflow_provider_cloudelements.events.cursor import EventCursor, read_until
from airflow_provider_cloudelements.events.query import EventQuery
from airflow_provider_cloudelements.operators._parts.base import require_bool

if TYPE_CHECKING:
    import pendulum

#: The moment that stays the same for all tries of a run, cleared ones too.
BEGIN_OF_RUN = "{{ dag_run.data_interval_start or dag_run.run_after }}"
#: Airflow's own timetables give a run an empty data interval, or none: this says whether it has a real one.
_HAS_INTERVAL = "dag_run.data_interval_start != dag_run.data_interval_end"
#: Where the first run begins: with its data interval, else with the first event that the platform still has.
FIRST_BEGIN = f"{{{{ dag_run.data_interval_start if {_HAS_INTERVAL} else 'earliest' }}}}"
#: Where a run ends: with its data interval. Without one, a run by time that goes on where the last one ended
#: leaves what came after it was due to the next one; any other reads all.
END_OF_RUN = (
    f"{{{{ dag_run.data_interval_end if {_HAS_INTERVAL} else dag_run.run_after "
    "if task.since is none and dag_run.run_type in ('scheduled', 'backfill') else 'latest' }}"
)
#: Where a wait ends: with the data interval, else never.
END_OF_INTERVAL = f"{{{{ dag_run.data_interval_end if {_HAS_INTERVAL} else 'latest' }}}}"


class EventSpan(BaseOperator):
    """Declare the span of time of the events, and read it once it is rendered.

    :param since: Only events since then. Templated.
    :param until: Only events before then. Templated.
    """

    def __init__(self, *, since: Any, until: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.since = since
        self.until = until

    def cursor(self) -> EventCursor:
        """Return where to begin.

        :raises CloudElementsValidationError: ``since`` is malformed.
        """
        return EventCursor.given(self.since)

    def end(self) -> pendulum.DateTime | None:
        """Return the moment before which events are wanted; ``None`` if there is none.

        :raises CloudElementsValidationError: ``until`` is malformed.
        """
        # Outside Airflow nothing renders the default, and there is no run that it could name.
        return None if self.until in (END_OF_RUN, END_OF_INTERVAL) else read_until(self.until)


class EventArguments(EventSpan):
    """Declare the arguments, and read them once they are rendered.

    The two classes that have them document them. This base comes before the one of the operator or sensor.
    Airflow finds an argument of ``partial`` and ``expand`` in any base that is an operator.

    :param instance_id: The instance of the events, by its id. Templated.
    :param instance_key: Its key. Templated.
    :param tag: Takes the events of all instances with this tag. Templated.
    :param object_types: Only these kinds of object. Templated.
    :param event_types: Only these kinds of change. Templated.
    :param where: Only events whose fields have these values. Templated.
    :param include_raw: Whether to add the vendor's body.
    """

    event_fields = (
        "instance_id",
        "instance_key",
        "tag",
        "object_types",
        "event_types",
        "where",
        "since",
        "until",
    )

    def __init__(
        self,
        *,
        instance_id: int | str | Mapping[str, Any] | None = None,
        instance_key: str | None = None,
        tag: str | None = None,
        object_types: Collection[str] | None = None,
        event_types: Collection[str] | None = None,
        where: Mapping[str, Any] | None = None,
        include_raw: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.instance_id = instance_id
        self.instance_key = instance_key
        self.tag = tag
        self.object_types = object_types
        self.event_types = event_types
        self.where = where
        self.include_raw = require_bool("include_raw", include_raw)

    def query(self) -> EventQuery:
        """Return the query for the events.

        :raises CloudElementsValidationError: An argument is malformed.
        """
        return EventQuery.of(
            instance_id=self.instance_id,
            instance_key=self.instance_key,
            tag=self.tag,
            object_types=self.object_types,
            event_types=self.event_types,
            where=self.where,
        )
