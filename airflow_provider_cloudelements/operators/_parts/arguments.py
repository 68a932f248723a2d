"""Read an operator's rendered arguments for an instance."""

from __future__ import annotations

from dataclasses import fields

from airflow_provider_cloudelements.operators._parts.base import CloudElementsBaseOperator
from airflow_provider_cloudelements.provisioning.arguments import InstanceArguments


def arguments_of(operator: CloudElementsBaseOperator) -> InstanceArguments:
    """Read the arguments that an operator has, its secrets included.

    :param operator: An operator with rendered fields. An argument that it does not have counts as not given.
    """
    names = [each.name for each in fields(InstanceArguments) if each.name in vars(operator)]
    return InstanceArguments(**{name: operator.secret(name) for name in names})
