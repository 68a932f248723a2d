"""What is public: the names in ``PUBLIC``, which the ``__all__`` of each module and CHANGELOG.md agree with.

A name that joins or leaves the public interface changes this table. Examples and pages import public names
alone, because people copy them.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator

import pytest

from airflow_provider_cloudelements.get_provider_info import get_provider_info
from tests.support.imports import Imports
from tests.support.package import PACKAGE, ROOT, modules, rooms

#: Module, without the package's name, and what its ``__all__`` names.
PUBLIC: dict[str, set[str]] = {
    "assets": {"FLEET_FINDINGS", "cloudelements_event_asset", "cloudelements_fleet_asset"},
    "client": {"CloudElementsClient", "Element", "ElementMetadata", "Instance", "InstanceClient"},
    "client.bulk": {"FORMATS", "BulkApi", "BulkJob", "BulkStatus"},
    "client.deliveries": {"DeliveriesApi", "Delivery", "Subscription"},
    "client.elements": {"ElementsApi"},
    "client.events": {"EventsApi"},
    "client.formulas": {
        "Formula",
        "FormulaExecution",
        "FormulaInstance",
        "FormulasApi",
        "StepError",
        "StepExecution",
    },
    "client.instances": {"InstancesApi"},
    "client.models": {"Element", "ElementKey", "ElementMetadata", "Instance"},
    "client.notifications": {"EVENT_TYPES", "Event", "Notification", "ObjectEvent"},
    "client.resources": {"PAGINGS", "InstanceClient", "ObjectField"},
    "client.target": {"Target"},
    "connections": {"ConnectionSettings", "DEFAULT_CONN_ID", "DEFAULT_ELEMENT_CONN_ID", "ElementSettings"},
    "events.cursor": {"EventCursor"},
    "events.query": {"EventQuery", "EventRow"},
    "events.reading": {"EventBatch", "EventLimits"},
    "events.reconcile": {"MissedEvents", "Reconciliation", "reconcile"},
    "events.scan": {"EventFilter", "EventReader", "MAX_PAGES", "SETTLE_TIME"},
    "events.signature": {"SIGNATURE_HEADER", "WEBHOOK_ID_HEADER", "sign", "verify"},
    "exceptions": {
        "CloudElementsAmbiguousCreateError",
        "CloudElementsApplyError",
        "CloudElementsAuthError",
        "CloudElementsBulkError",
        "CloudElementsConflictError",
        "CloudElementsConnectionError",
        "CloudElementsDriftError",
        "CloudElementsError",
        "CloudElementsForbiddenError",
        "CloudElementsFormulaError",
        "CloudElementsInstanceDisabledError",
        "CloudElementsManifestError",
        "CloudElementsNotFoundError",
        "CloudElementsRateLimitError",
        "CloudElementsServerError",
        "CloudElementsSignatureError",
        "CloudElementsTimeoutError",
        "CloudElementsTransportError",
        "CloudElementsUnhealthyError",
        "CloudElementsUnsafePlanError",
        "CloudElementsValidationError",
    },
    "fleet": {
        "Change",
        "Exported",
        "FieldChange",
        "Kind",
        "Manifest",
        "Note",
        "Place",
        "Plan",
        "Problem",
        "Progress",
        "Report",
        "Result",
        "Row",
        "Safety",
        "Status",
        "Violation",
        "apply",
        "export",
        "manifest_schema",
        "plan",
        "read_manifest",
        "read_manifest_text",
    },
    "hooks.cloudelements": {"CloudElementsElementHook", "CloudElementsHook"},
    "operators.bulk": {"CloudElementsDownloadBulkOperator", "CloudElementsUploadBulkOperator"},
    "operators.changes": {
        "CloudElementsDisableInstanceOperator",
        "CloudElementsEnableInstanceOperator",
        "CloudElementsReauthenticateInstanceOperator",
        "CloudElementsUpdateInstanceOperator",
    },
    "operators.consent": {"CloudElementsAskConsentOperator", "ConsentGroup", "consent_group"},
    "operators.deliveries": {
        "CloudElementsReleaseDeliveriesOperator",
        "CloudElementsSetNotificationPolicyOperator",
    },
    "operators.event_reading": {
        "CloudElementsReadEventsOperator",
        "CloudElementsReconcileEventsOperator",
        "XCOM_CURSOR",
    },
    "operators.events": {"CloudElementsDisableEventsOperator", "CloudElementsEnableEventsOperator"},
    "operators.fleet": {"CloudElementsApplyInstancesOperator", "CloudElementsPlanInstancesOperator"},
    "operators.formulas": {"CloudElementsRunFormulaOperator", "XCOM_EXECUTION_ID"},
    "operators.health": {"CloudElementsCheckInstancesOperator"},
    "operators.instances": {
        "CloudElementsCreateInstanceOperator",
        "CloudElementsDeleteInstanceOperator",
        "XCOM_ID",
        "XCOM_TOKEN",
        "element_instance",
        "pull_token",
    },
    "operators.record_changes": {"CloudElementsDownloadChangesOperator"},
    "operators.records": {"CloudElementsCallResourceOperator"},
    "operators.oauth": {"CloudElementsGetOAuthUrlOperator", "XCOM_STATE", "XCOM_URL"},
    "provisioning": {"Change", "Changed", "Ensured", "InstanceSpec", "ensure", "reauthenticate", "update"},
    "retry_policy": {"CloudElementsRetryPolicy"},
    "sandbox": {
        "DEFAULT_ORGANIZATION_SECRET",
        "DEFAULT_PORT",
        "DEFAULT_USER_SECRET",
        "Sandbox",
        "SandboxError",
    },
    "sandbox.pytest_plugin": {"cloudelements_sandbox", "cloudelements_sandbox_server"},
    "sensors.bulk": {"CloudElementsBulkJobSensor"},
    "sensors.events": {"CloudElementsEventSensor"},
    "sensors.formulas": {"CloudElementsFormulaExecutionSensor"},
    "sensors.instances": {"CloudElementsInstanceSensor"},
    "triggers.bulk": {"CloudElementsBulkJobTrigger"},
    "triggers.events": {"CloudElementsEventSensorTrigger", "CloudElementsEventTrigger"},
    "triggers.formulas": {"CloudElementsFormulaExecutionTrigger"},
    "triggers.instances": {"CloudElementsInstanceTrigger"},
    "webhooks": {
        "DEFAULT_WEBHOOK",
        "DEFAULT_WEBHOOK_CONN_ID",
        "WebhookSettings",
        "notification_of",
        "webhook_asset_of_element",
        "webhook_asset_of_instance",
        "webhook_connection",
    },
}


def room_of(module: str) -> str | None:
    """Return the listed module that a module is, or is in."""
    return next((room for room in rooms() if f"{module}.".startswith(f"{room}.")), None)


def declared() -> dict[str, set[str]]:
    """Return what the ``__all__`` of the modules in the rooms name."""
    found = {name.removeprefix(f"{PACKAGE}."): module for name, module in modules().items()}
    return {
        name: set(module.__all__)
        for name, module in found.items()
        if hasattr(module, "__all__") and room_of(name)
    }


def sources() -> dict[str, str]:
    """Return what people copy: examples, recipes, and the Python in pages, by where it stands."""
    paths = [*ROOT.glob("example_dags/*.py"), *ROOT.glob("docs/recipes/*.py")]
    found = {str(path.relative_to(ROOT)): path.read_text() for path in paths}
    for page in [ROOT / "README.md", *ROOT.glob("docs/**/*.md")]:
        for number, block in enumerate(blocks(page.read_text())):
            found[f"{page.relative_to(ROOT)} block {number}"] = block
    return found


def blocks(page: str) -> list[str]:
    """Return the blocks of Python in a page, those in a list's item too."""
    found = re.findall(r"^( *)```python\n(.*?)^\1```", page, flags=re.MULTILINE | re.DOTALL)
    return [textwrap.dedent(block) for _, block in found]


def not_public(source: str) -> Iterator[str]:
    """Yield what a source imports of the package and is not in the table."""
    visitor = Imports("", is_package=False)
    visitor.visit(ast.parse(source))
    for each in visitor.found:
        if each.target != PACKAGE and not each.target.startswith(f"{PACKAGE}."):
            continue
        inside = each.target.removeprefix(PACKAGE).removeprefix(".")
        module, _, name = inside.rpartition(".")
        if inside not in PUBLIC and name not in PUBLIC.get(module, ()):
            yield each.target


def test_the_table_holds_all_that_is_declared_public():
    assert declared() == PUBLIC


def test_each_room_of_the_changelog_has_public_names():
    assert len(rooms()) >= 10
    assert {room_of(module) for module in PUBLIC} == rooms()


def test_each_module_that_the_metadata_names_is_public():
    info = get_provider_info()
    named = {
        name
        for kind in ("hooks", "operators", "sensors", "triggers")
        for one in info[kind]
        for name in one["python-modules"]
    }
    assert len(named) >= 10
    assert {name.removeprefix(f"{PACKAGE}.") for name in named} <= set(PUBLIC)


@pytest.mark.parametrize("name", PUBLIC)
def test_what_is_public_is_there_once(name):
    module = modules()[f"{PACKAGE}.{name}"]
    assert len(module.__all__) == len(PUBLIC[name])
    assert [own for own in module.__all__ if own.startswith("_") or not hasattr(module, own)] == []


def test_what_people_copy_imports_public_names_alone():
    found = sources()
    assert len(found) >= 20
    assert [f"{where}: {each}" for where, source in found.items() for each in not_public(source)] == []
    users = [where for where, source in found.items() if PACKAGE in source]
    assert any(where.startswith("README.md") for where in users)
    assert any(where.startswith("docs") for where in users)
    assert any(where.startswith("example_dags") for where in users)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        (f"from {PACKAGE}.client import CloudElementsClient", []),
        (f"import {PACKAGE}.client", []),
        (f"import {PACKAGE}.client.wire.http", [f"{PACKAGE}.client.wire.http"]),
        (f"from {PACKAGE}.client import wire", [f"{PACKAGE}.client.wire"]),
        (f"from {PACKAGE}.events.scan import short_id", [f"{PACKAGE}.events.scan.short_id"]),
        (
            f"def inside():\n    from {PACKAGE}.operators._parts import base",
            [f"{PACKAGE}.operators._parts.base"],
        ),
        (f"from {PACKAGE}_other import thing", []),
    ],
)
def test_an_import_from_the_inside_is_found(source: str, found: list[str]):
    assert list(not_public(source)) == found


def test_the_python_of_a_page_is_found():
    page = "```python\nimport a\n```\n1. x\n\n   ```python\n   import b\n   ```\n```bash\nimport c\n```\n"
    assert blocks(page) == ["import a\n", "import b\n"]
