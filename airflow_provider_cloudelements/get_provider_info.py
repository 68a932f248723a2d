"""Describe the package to Airflow. Every Airflow process runs this, so it imports nothing heavy."""

from __future__ import annotations

from typing import Any

from airflow_provider_cloudelements import __version__
from airflow_provider_cloudelements.connection_form import (
    CONN_TYPE,
    CONNECTION_BEHAVIOUR,
    CONNECTION_FIELDS,
    ELEMENT_BEHAVIOUR,
    ELEMENT_CONN_TYPE,
    ELEMENT_FIELDS,
    provider_form,
)

_INTEGRATION = "Cloud Elements"
_HOOKS = "airflow_provider_cloudelements.hooks.cloudelements"


def get_provider_info() -> dict[str, Any]:
    """Return the provider's metadata in the shape of Airflow's ``provider_info.schema.json``."""
    return {
        "package-name": "airflow-provider-cloudelements",
        "name": "Cloud Elements",
        "description": (
            "Provisions element instances of Cloud Elements, today also sold as SAP Open Connectors, "
            "with events enabled."
        ),
        "versions": [__version__],
        "integrations": [
            {
                "integration-name": _INTEGRATION,
                "external-doc-url": "https://help.openconnectors.ext.hana.ondemand.com/home",
                "tags": ["service"],
            }
        ],
        "hooks": [{"integration-name": _INTEGRATION, "python-modules": [_HOOKS]}],
        "operators": [
            {
                "integration-name": _INTEGRATION,
                "python-modules": [
                    f"airflow_provider_cloudelements.operators.{name}"
                    for name in (
                        "instances",
                        "oauth",
                        "consent",
                        "changes",
                        "events",
                        "event_reading",
                        "deliveries",
                        "health",
                        "fleet",
                        "records",
                        "formulas",
                        "bulk",
                        "record_changes",
                    )
                ],
            }
        ],
        "sensors": [
            {
                "integration-name": _INTEGRATION,
                "python-modules": [
                    "airflow_provider_cloudelements.sensors.instances",
                    "airflow_provider_cloudelements.sensors.events",
                    "airflow_provider_cloudelements.sensors.formulas",
                    "airflow_provider_cloudelements.sensors.bulk",
                ],
            }
        ],
        "triggers": [
            {
                "integration-name": _INTEGRATION,
                "python-modules": [
                    "airflow_provider_cloudelements.triggers.instances",
                    "airflow_provider_cloudelements.triggers.events",
                    "airflow_provider_cloudelements.triggers.formulas",
                    "airflow_provider_cloudelements.triggers.bulk",
                ],
            }
        ],
        # The decorator @task.cloudelements.
        "task-decorators": [
            {
                "name": "cloudelements",
                "class-name": "airflow_provider_cloudelements.decorators.instance.cloudelements_task",
            }
        ],
        "extra-links": [
            "airflow_provider_cloudelements.links.instances.CloudElementsInstanceLink",
            "airflow_provider_cloudelements.links.oauth.CloudElementsConsentLink",
            "airflow_provider_cloudelements.links.pages.CloudElementsInstancesPageLink",
        ],
        # The command airflow cloudelements, from Airflow 3.2 on. Airflow 3.1 does not know this key.
        "cli": ["airflow_provider_cloudelements.cli.get_cli_commands"],
        "config": {
            "cloudelements": {
                "description": "Cloud Elements / SAP Open Connectors.",
                "options": {
                    "pages": {
                        "description": (
                            "Whether the API server serves the provider's pages: /cloudelements/consent, to "
                            "which a vendor sends a person after a consent, and /cloudelements/instances."
                        ),
                        "version_added": "0.1.0",
                        "type": "boolean",
                        "example": None,
                        "default": "True",
                    }
                },
            }
        },
        "connection-types": [
            {
                "connection-type": CONN_TYPE,
                "hook-class-name": f"{_HOOKS}.CloudElementsHook",
                "hook-name": "Cloud Elements / SAP Open Connectors",
                "conn-fields": provider_form(CONNECTION_FIELDS),
                "ui-field-behaviour": CONNECTION_BEHAVIOUR,
            },
            {
                "connection-type": ELEMENT_CONN_TYPE,
                "hook-class-name": f"{_HOOKS}.CloudElementsElementHook",
                "hook-name": "Cloud Elements: an element's credentials",
                "conn-fields": provider_form(ELEMENT_FIELDS),
                "ui-field-behaviour": ELEMENT_BEHAVIOUR,
            },
        ],
    }
