"""Say what a task wrote: to the events of its outlets, and to OpenLineage if its provider is there."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_cloudelements.client.instances import InstancesApi
from airflow_provider_cloudelements.client.resources import resource_path
from airflow_provider_cloudelements.connections import ConnectionSettings
from airflow_provider_cloudelements.exceptions import CloudElementsError
from airflow_provider_cloudelements.operators._parts.file_writing import FileWriting

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage
    from airflow.sdk import Context, ObjectStoragePath

    from airflow_provider_cloudelements.hooks.cloudelements import CloudElementsHook

_OPENLINEAGE = "airflow.providers.openlineage"
#: The hub at the begin of a path.
_HUB = re.compile(r"^/+hubs/+[^/]+(?=/)")


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """What a task read through an instance, and the file that it wrote; or the other way. It holds no secret.

    :param instance_id: The instance; ``None`` if the task knows only its token.
    :param object_name: What it read, or wrote, such as ``contacts``; ``None`` for events, and if a query
        leaves it unsure.
    :param rows: How many records or events.
    :param path: The file's address; ``None`` if there is none, because few rows went to XCom.
    :param bytes: Its size.
    :param sha256: Its SHA-256, in hexadecimal digits.
    :param is_source: Whether the task read the file, and wrote the records.
    """

    instance_id: int | None
    object_name: str | None
    rows: int
    path: ObjectStoragePath | None = None
    bytes: int | None = None
    sha256: str | None = None
    is_source: bool = False

    def as_extra(self) -> dict[str, Any]:
        """Return it as the extra of an asset's event."""
        return {
            "instance_id": self.instance_id,
            "object": self.object_name,
            "rows": self.rows,
            "bytes": self.bytes,
            "path": None if self.path is None else str(self.path),
            "sha256": self.sha256,
        }


def object_of(path: Any) -> str:
    """Return what a path reads, such as ``contacts``: without a hub, which the platform ignores (fact F321).

    :param path: The path, or its parts.
    """
    return _HUB.sub("", resource_path(path)).strip("/")


class FileLineage(FileWriting):
    """Base of the operators that write files. :meth:`perform` calls :meth:`tell_file` at its end."""

    hook: CloudElementsHook
    #: What :meth:`tell_file` was told, and the dataset of the records: namespace and name.
    _told: tuple[WrittenFile, tuple[str, str] | None] | None = None

    def tell_file(self, context: Context, written: WrittenFile) -> None:
        """Add what was written, or sent, to the events of the outlets, and keep it for OpenLineage.

        :param context: The context that ``execute`` received.
        :param written: What was written, or sent.
        :raises CloudElementsError: The task was told to end meanwhile.
        """
        from airflow.sdk import AssetAlias

        self.require_alive()

        events: Any = context.get("outlet_events")
        for outlet in self.outlets if isinstance(events, Mapping) else ():
            if not isinstance(outlet, AssetAlias):  # an alias has no event before its author adds an asset
                events[outlet].extra.update(written.as_extra())
        if _openlineage_is_on():
            # Now, because a listener must not call the platform: it runs in a process of its own.
            records = _records(self.hook.settings, self.hook.get_conn().instances, written)
            self._told = written, records

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any] | None:
        """Return the datasets. The OpenLineage provider calls it when the task has ended.

        :param task_instance: The task instance; not needed.
        """
        try:
            from airflow.providers.openlineage.extractors import OperatorLineage
        except ImportError:
            return None
        if self._told is None:
            return OperatorLineage()
        written, records = self._told
        if written.is_source:
            inputs, outputs = _file(written), records
        else:
            inputs, outputs = records, _file(written)
        return OperatorLineage(inputs=_inputs(written, inputs), outputs=_outputs(written, outputs))


def _openlineage_is_on() -> bool:
    """Return whether the OpenLineage provider is installed and has somewhere to send events to."""
    try:
        if importlib.util.find_spec(_OPENLINEAGE) is None:
            return False
        from airflow.providers.openlineage.conf import is_disabled

        return not is_disabled()
    except Exception:  # lineage is no reason to lose a file
        return False


def _records(
    settings: ConnectionSettings, instances: InstancesApi, written: WrittenFile
) -> tuple[str, str] | None:
    """Return namespace and name of the records; ``None`` if nobody can say which element it is of."""
    if written.instance_id is None or written.object_name is None:
        return None
    try:
        element = instances.get(written.instance_id).element_key
    except CloudElementsError:
        return None
    address = urlsplit(settings.base_url)
    host = address.hostname if address.port is None else f"{address.hostname}:{address.port}"
    return (f"cloudelements://{host}", f"{element}/{written.object_name}") if element else None


def _file(written: WrittenFile) -> tuple[str, str] | None:
    """Return namespace and name of the file; ``None`` if there is none."""
    path = written.path
    if path is None:
        return None
    # OpenLineage names a local file by its whole path, and an object by its key in the bucket.
    return path.namespace, path.key if path.bucket else path.path


def _facets(written: WrittenFile, *, of_file: bool) -> dict[str, Any]:
    from openlineage.client.generated.dataset_version_dataset import DatasetVersionDatasetFacet

    if not of_file or written.sha256 is None:
        return {}
    return {"version": DatasetVersionDatasetFacet(written.sha256)}


def _inputs(written: WrittenFile, dataset: tuple[str, str] | None) -> list[Any]:
    from openlineage.client.event_v2 import InputDataset

    if dataset is None:
        return []
    facets = _facets(written, of_file=written.is_source)
    return [InputDataset(namespace=dataset[0], name=dataset[1], facets=facets)]


def _outputs(written: WrittenFile, dataset: tuple[str, str] | None) -> list[Any]:
    from openlineage.client.event_v2 import OutputDataset
    from openlineage.client.generated.output_statistics_output_dataset import (
        OutputStatisticsOutputDatasetFacet,
    )

    if dataset is None:
        return []
    # Of records, the file's bytes are no size.
    of_file: dict[str, Any] = {} if written.is_source else {"size": written.bytes, "fileCount": 1}
    statistics = OutputStatisticsOutputDatasetFacet(rowCount=written.rows, **of_file)
    return [
        OutputDataset(
            namespace=dataset[0],
            name=dataset[1],
            facets=_facets(written, of_file=not written.is_source),
            outputFacets={"outputStatistics": statistics},
        )
    ]
