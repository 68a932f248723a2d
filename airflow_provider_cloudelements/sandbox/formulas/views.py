"""Instances of formulas and executions as the API shows them (facts F401 to F411)."""

from __future__ import annotations

import json
from typing import Any

from airflow_provider_cloudelements.sandbox.core.dates import iso
from airflow_provider_cloudelements.sandbox.formulas.store import Execution, FormulaInstance


def instance_view(instance: FormulaInstance) -> dict[str, Any]:
    """Return an instance of a formula (fact F401; further fields: choice C402).

    :param instance: the instance.
    """
    template = instance.template
    return {
        "id": instance.id,
        "name": instance.name,
        "active": instance.active,
        "configuration": instance.configuration,
        "settings": instance.settings,
        "createdDate": iso(instance.created),
        "formula": {"id": template.id, "name": template.name, "active": True},
    }


def execution_view(execution: Execution) -> dict[str, Any]:
    """Return an execution (fact F404).

    :param execution: the execution.
    """
    return {
        "id": execution.id,
        "formulaInstanceId": execution.instance.id,
        "status": execution.status,
        "createdDate": iso(execution.created),
        "updatedDate": iso(execution.updated),
        "stepExecutions": steps_view(execution),
    }


def steps_view(execution: Execution) -> list[dict[str, Any]]:
    """Return the steps of an execution (their form is choice C403).

    :param execution: the execution.
    """
    return [
        {
            "id": execution.id * 10 + number,
            "stepName": step.name,
            "status": step.status,
            "createdDate": iso(execution.created),
            "updatedDate": iso(step.ended),
            "stepExecutionValues": [
                {"key": f"{step.name}.{key}", "value": value if isinstance(value, str) else json.dumps(value)}
                for key, value in step.values.items()
            ],
        }
        for number, step in enumerate(execution.steps)
    ]
