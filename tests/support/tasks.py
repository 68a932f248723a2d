"""All operators and sensors of the package."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator

from airflow.sdk import BaseOperator

from airflow_provider_cloudelements import operators, sensors


def _classes() -> Iterator[type[BaseOperator]]:
    for package in (operators, sensors):
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            if module.ispkg:
                continue
            loaded = importlib.import_module(module.name)
            for name, found in inspect.getmembers(loaded, inspect.isclass):
                if issubclass(found, BaseOperator) and found.__module__ == module.name and "Base" not in name:
                    yield found


#: Those with a connection.
ALL = [each for each in _classes() if "cloudelements_conn_id" in each.template_fields]
