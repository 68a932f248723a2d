"""A local Cloud Elements (SAP Open Connectors): the platform's API on the loopback interface, for tests.

``python -m airflow_provider_cloudelements.sandbox`` starts one by hand; :class:`Sandbox` starts one inside a
test. The sandbox follows the API's documents by itself and shares no code with the client, so that each
checks the other.
"""

from __future__ import annotations

from airflow_provider_cloudelements.sandbox.runner import Sandbox, SandboxError
from airflow_provider_cloudelements.sandbox.settings import (
    DEFAULT_ORGANIZATION_SECRET,
    DEFAULT_PORT,
    DEFAULT_USER_SECRET,
)

__all__ = ["DEFAULT_ORGANIZATION_SECRET", "DEFAULT_PORT", "DEFAULT_USER_SECRET", "Sandbox", "SandboxError"]
