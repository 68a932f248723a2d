"""The table of calls. If you add an area, add its module and its routes here."""

from __future__ import annotations

import sys
from types import ModuleType

from starlette.responses import Response

from airflow_provider_cloudelements.sandbox.account import calls as account
from airflow_provider_cloudelements.sandbox.bulk import calls as bulk
from airflow_provider_cloudelements.sandbox.bulk import start_calls as bulk_start
from airflow_provider_cloudelements.sandbox.control import bulk_calls as bulk_control
from airflow_provider_cloudelements.sandbox.control import calls as control
from airflow_provider_cloudelements.sandbox.control import event_calls as event_control
from airflow_provider_cloudelements.sandbox.control import formula_calls as formula_control
from airflow_provider_cloudelements.sandbox.control import page_calls as page_control
from airflow_provider_cloudelements.sandbox.core.auth import Access
from airflow_provider_cloudelements.sandbox.core.errors import not_emulated
from airflow_provider_cloudelements.sandbox.core.router import Handler, Router
from airflow_provider_cloudelements.sandbox.elements import calls as elements
from airflow_provider_cloudelements.sandbox.events import analytics_calls as analytics
from airflow_provider_cloudelements.sandbox.events import calls as events
from airflow_provider_cloudelements.sandbox.events import inbound_calls as inbound
from airflow_provider_cloudelements.sandbox.formulas import calls as formulas
from airflow_provider_cloudelements.sandbox.formulas import execution_calls as executions
from airflow_provider_cloudelements.sandbox.instances import calls as instances
from airflow_provider_cloudelements.sandbox.instances import configuration_calls as configuration
from airflow_provider_cloudelements.sandbox.instances import discovery_calls as discovery
from airflow_provider_cloudelements.sandbox.instances import resource_calls as resources
from airflow_provider_cloudelements.sandbox.instances import swagger_calls as swagger
from airflow_provider_cloudelements.sandbox.notifications import calls as notifications
from airflow_provider_cloudelements.sandbox.state import Call
from airflow_provider_cloudelements.sandbox.vendors import calls as vendors
from airflow_provider_cloudelements.sandbox.vendors import link_calls as links

#: Titles of the tables of docs/sandbox.md by the module that answers the routes, in the tables' order.
AREAS: dict[ModuleType, str] = {
    elements: "Elements and hubs",
    links: "Consent",
    instances: "Instances",
    configuration: "Configuration of an instance",
    swagger: "Documents",
    resources: "Use of an instance",
    discovery: "Use of an instance",
    bulk_start: "Bulk",
    bulk: "Bulk",
    formulas: "Formulas",
    executions: "Executions of formulas",
    inbound: "Events from vendors",
    events: "Events, read",
    analytics: "Events, counted",
    notifications: "Notifications",
    account: "Account",
    sys.modules[__name__]: "Refused",
    page_control: "Control",
    control: "Control",
    bulk_control: "Records and bulk jobs",
    formula_control: "Formulas",
    event_control: "Events and deliveries",
    vendors: "Login page",
}
#: Words that begin a platform call, never a vendor's resource; the sandbox refuses those without a route.
PLATFORM_AREAS = (
    "accounts",
    "authentication",
    "elements",
    "formulas",
    "instances",
    "jobs",
    "notifications",
    "organizations",
    "usage",
    "users",
)
#: Words after /instances that are no instance id (fact F179) and have no route yet.
RESERVED_WORDS = ("event-poller-records", "objects", "transformations")


#: Handlers for a body over the limit, where the answer is not the usual error.
OVERSIZE: dict[Access, Handler] = {Access.VENDOR: inbound.drop_oversize}
#: Handlers of bodies that hold a file, and of answers that are not JSON.
UPLOADS: frozenset[Handler] = frozenset({bulk_start.start_upload})
ANY_ACCEPT: frozenset[Handler] = frozenset({bulk.get_result})


def _not_emulated(_call: Call) -> Response:
    """Answer a call without a route: 404, with a message that the sandbox does not emulate it."""
    raise not_emulated("this call")


def api_router() -> Router:
    """Return the routes under /elements/api-v2."""
    router = Router()
    platform, token, resource = Access.PLATFORM, Access.TOKEN, Access.RESOURCE

    for area in PLATFORM_AREAS:
        router.add("*", f"/{area}/{{rest}}", _not_emulated, platform)
    for word in RESERVED_WORDS:
        router.add("*", f"/instances/{word}/{{rest}}", _not_emulated, platform)
    router.add("GET", "/hubs", elements.list_hubs, platform)
    router.add("GET", "/hubs/keys", elements.list_hub_keys, platform)
    router.add("GET", "/hubs/{hub}", elements.get_hub, platform)
    router.add("GET", "/hubs/{hub}/elements", elements.list_hub_elements, platform)

    router.add("POST", "/instances", instances.create_instance, platform)
    router.add("GET", "/instances", instances.list_instances, platform)
    router.add("GET", "/instances/count", instances.count_instances, platform)
    # Each of these exists twice: with an id, and without one for the instance of the Element token.
    twins: tuple[tuple[str, str, Handler], ...] = (
        ("PUT", "", instances.put_instance),
        ("PATCH", "", instances.patch_instance),
        ("DELETE", "", instances.delete_instance),
        ("PUT", "/enabled", instances.enable_instance),
        ("DELETE", "/enabled", instances.disable_instance),
        ("PUT", "/trace-logging", instances.start_trace_logging),
        ("DELETE", "/trace-logging", instances.stop_trace_logging),
        ("GET", "/docs", swagger.instance_docs),
        ("GET", "/configuration", configuration.list_rows),
        ("GET", "/configuration/{row}", configuration.get_row),
        ("PATCH", "/configuration/{row}", configuration.patch_row),
    )
    for verb, rest, handler in twins:
        router.add(verb, f"/instances{rest}", handler, token)
        router.add(verb, f"/instances/{{id}}{rest}", handler, platform)
    router.add("GET", "/instances/{id}", instances.get_instance, platform)
    router.add("GET", "/instances/events", events.list_events, platform)
    router.add("GET", "/instances/events/dispositions", analytics.list_dispositions, platform)
    router.add("GET", "/instances/events/analytics", analytics.count_all, platform)
    router.add("GET", "/instances/events/analytics/accounts", analytics.count_by_account, platform)
    router.add("GET", "/instances/events/analytics/instances", analytics.count_by_instance, platform)
    router.add("GET", "/instances/events/{event}", events.get_event, platform)
    router.add("GET", "/instances/{id}/events", events.list_instance_events, platform)
    router.add("GET", "/instances/{id}/events/{event}", events.get_event, platform)
    # Both also work by an Element token alone (fact F98).
    router.add("GET", "/instances/docs/{operation}", swagger.operation_docs, resource)
    router.add("GET", "/instances/docs/{operation}/definitions", swagger.operation_definitions, resource)
    router.add("GET", "/instances/{id}/docs/{operation}", swagger.operation_docs, platform)
    router.add("GET", "/instances/{id}/docs/{operation}/definitions", swagger.operation_definitions, platform)
    router.add("GET", "/accounts/instances", instances.list_account_instances, platform)
    router.add("GET", "/accounts/{id}/instances", instances.list_account_instances, platform)

    router.add("GET", "/elements", elements.list_elements, platform)
    router.add("GET", "/elements/keys", elements.list_keys, platform)
    router.add("GET", "/elements/metadata", elements.list_metadata, platform)
    router.add("GET", "/elements/{element}", elements.get_element, platform)
    router.add("GET", "/elements/{element}/configuration", elements.get_configuration, platform)
    router.add("GET", "/elements/{element}/metadata", elements.get_metadata, platform)
    router.add("GET", "/elements/{element}/oauth/url", links.get_url, Access.OPTIONAL)
    router.add("POST", "/elements/{element}/oauth/url", links.post_url, Access.OPTIONAL)
    router.add("GET", "/elements/{element}/oauth/url/default", links.get_default_url, Access.OPTIONAL)
    router.add("GET", "/elements/{element}/docs", swagger.element_docs, platform)
    router.add("GET", "/elements/{element}/trace/{trace}", instances.get_trace, platform)
    router.add("GET", "/elements/{element}/instances", instances.list_element_instances, platform)
    router.add("POST", "/elements/{element}/instances", instances.create_instance, platform)
    # There is no PATCH here (fact F192).
    router.add("GET", "/elements/{element}/instances/{id}", instances.get_instance, platform)
    router.add("PUT", "/elements/{element}/instances/{id}", instances.put_instance, platform)
    router.add("DELETE", "/elements/{element}/instances/{id}", instances.delete_instance, platform)

    router.add("GET", "/organizations/me", account.organization_me, platform)
    for verb, path, on_platform, at_vendor in (
        ("GET", "/accounts", account.list_accounts, resources.list_records),
        ("POST", "/accounts", account.no_account_call, resources.create_record),
        ("GET", "/accounts/{record}", account.get_account, resources.get_record),
        ("PATCH", "/accounts/{record}", account.no_account_call, resources.patch_record),
        ("PUT", "/accounts/{record}", account.no_account_call, resources.put_record),
        ("DELETE", "/accounts/{record}", account.no_account_call, resources.delete_record),
        ("GET", "/accounts/{record}/{inner}", account.no_account_call, resources.list_records),
        ("POST", "/accounts/{record}/{inner}", account.no_account_call, resources.create_record),
        ("GET", "/accounts/{record}/{inner}/{inner_record}", account.no_account_call, resources.get_record),
        (
            "PATCH",
            "/accounts/{record}/{inner}/{inner_record}",
            account.no_account_call,
            resources.patch_record,
        ),
        ("PUT", "/accounts/{record}/{inner}/{inner_record}", account.no_account_call, resources.put_record),
        (
            "DELETE",
            "/accounts/{record}/{inner}/{inner_record}",
            account.no_account_call,
            resources.delete_record,
        ),
    ):
        router.add(verb, path, account.or_resource(on_platform, at_vendor), Access.EITHER)
    router.add("GET", "/accounts/settings", account.get_settings, platform)
    router.add("PATCH", "/accounts/settings", account.change_settings, platform)
    router.add("POST PATCH", "/accounts/{id}/settings", account.change_settings, platform)
    router.add("POST", "/authentication", account.authenticate, Access.PUBLIC)
    router.add("GET", "/authentication/secrets", account.secrets, platform)

    router.add("GET", "/formulas", formulas.list_formulas, platform)
    router.add("GET", "/formulas/{formula}", formulas.get_formula, platform)
    router.add("GET", "/formulas/instances", formulas.list_instances, platform)
    router.add("POST", "/formulas/{formula}/instances", formulas.create_instance, platform)
    router.add("GET", "/formulas/{formula}/instances", formulas.list_formula_instances, platform)
    for path in (
        "/formulas/instances/{formula_instance}",
        "/formulas/{formula}/instances/{formula_instance}",
    ):
        router.add("GET", path, formulas.get_instance, platform)
        router.add("PUT", path, formulas.change_instance, platform)
        router.add("DELETE", path, formulas.delete_instance, platform)
        router.add("PUT", f"{path}/active", formulas.activate, platform)
        router.add("DELETE", f"{path}/active", formulas.deactivate, platform)
        router.add("POST", f"{path}/executions", executions.trigger, platform)
        router.add("GET", f"{path}/executions", executions.list_executions, platform)
    one_run = "/formulas/instances/executions/{execution}"
    router.add("GET", one_run, executions.get_execution, platform)
    router.add("PATCH", one_run, executions.change, platform)
    router.add("GET", f"{one_run}/steps", executions.list_steps, platform)
    router.add("GET", f"{one_run}/errors", executions.list_errors, platform)
    router.add("PUT", f"{one_run}/retries", executions.retry, platform)
    router.add("DELETE", f"{one_run}/retries", executions.cancel_retries, platform)

    notes, one = "/notifications", "/notifications/{notification}"
    router.add("POST", notes, notifications.create_notification, platform)
    router.add("GET", notes, notifications.list_notifications, platform)
    router.add("GET", one, notifications.get_notification, platform)
    router.add("DELETE", one, notifications.delete_notification, platform)
    router.add("PUT", f"{one}/acknowledge", notifications.acknowledge, platform)
    subscriptions = f"{notes}/subscriptions"
    router.add("POST", subscriptions, notifications.create_subscription, platform)
    router.add("GET", subscriptions, notifications.list_subscriptions, platform)
    router.add("GET", f"{subscriptions}/deliveries", notifications.list_deliveries, platform)
    router.add("PUT", f"{subscriptions}/deliveries", notifications.release_deliveries, platform)
    by_id = f"{subscriptions}/{{subscription}}"
    router.add("GET", by_id, notifications.get_subscription, platform)
    router.add("DELETE", by_id, notifications.delete_subscription, platform)
    of_one = f"{one}/subscriptions"
    router.add("GET", f"{of_one}/deliveries", notifications.list_notification_deliveries, platform)
    router.add("GET", f"{of_one}/{{subscription}}/deliveries", notifications.get_delivery, platform)

    # The resource named events has the same path as the vendors' route, where an element's key has priority.
    for verb, handler in (
        ("PATCH", resources.patch_record),
        ("PUT", resources.put_record),
        ("DELETE", resources.delete_record),
    ):
        router.add(verb, "/events/{element}", inbound.as_record(handler), resource)
    router.add("GET POST", "/events/{element}", inbound.receive_event, Access.VENDOR)
    router.add("GET POST", "/events/{element}/{instance}", inbound.receive_event, Access.VENDOR)
    for start in ("", "/hubs/{hub}"):
        router.add("GET", f"{start}/ping", resources.ping, resource)
        router.add("GET", f"{start}/objects", discovery.list_objects, Access.DISCOVERY)
        router.add("GET", f"{start}/objects/{{object}}/metadata", discovery.object_metadata, resource)
        router.add("POST", f"{start}/bulk/query", bulk_start.start_query, resource)
        router.add("POST", f"{start}/bulk/download", bulk_start.start_download, resource)
        router.add("POST", f"{start}/bulk/{{object}}", bulk_start.start_upload, resource)
        router.add("GET", f"{start}/bulk/jobs", bulk.list_jobs, resource)
        router.add("GET", f"{start}/bulk/{{job}}/status", bulk.get_status, resource)
        router.add("GET", f"{start}/bulk/{{job}}/errors", bulk.list_errors, resource)
        router.add("PUT", f"{start}/bulk/{{job}}/cancel", bulk.cancel, resource)
        router.add("GET", f"{start}/bulk/{{job}}/{{object}}", bulk.get_result, resource)
        router.add("*", f"{start}/bulk/{{rest}}", _not_emulated, resource)
        for path in (f"{start}/{{object}}", f"{start}/{{object}}/{{record}}/{{inner}}"):
            router.add("GET", path, resources.list_records, resource)
            router.add("POST", path, resources.create_record, resource)
        for path in (
            f"{start}/{{object}}/{{record}}",
            f"{start}/{{object}}/{{record}}/{{inner}}/{{inner_record}}",
        ):
            router.add("GET", path, resources.get_record, resource)
            router.add("PATCH", path, resources.patch_record, resource)
            router.add("PUT", path, resources.put_record, resource)
            router.add("DELETE", path, resources.delete_record, resource)
    router.add("*", "/{rest}", _not_emulated, resource)
    return router


def control_router() -> Router:
    """Return the routes under /sandbox: no Authorization, loopback only."""
    router = Router()
    public = Access.PUBLIC
    router.add("GET", "", page_control.overview, public)
    router.add("POST", "/reset", control.reset, public)
    router.add("GET", "/settings", control.get_settings, public)
    router.add("PATCH", "/settings", control.patch_settings, public)
    router.add("GET", "/requests", control.list_requests, public)
    router.add("GET", "/instances", control.list_instances, public)
    router.add("GET", "/instances/{id}", page_control.show_instance, public)
    router.add("PATCH", "/instances/{id}", control.patch_instance, public)
    router.add("POST", "/instances/{id}/revoke", control.revoke_instance, public)
    router.add("POST", "/instances/{id}/poll", event_control.poll_now, public)
    router.add("PUT", "/instances/{id}/records/{object}", bulk_control.set_records, public)
    router.add("GET", "/bulk", bulk_control.list_jobs, public)
    router.add("POST", "/bulk", bulk_control.add_plan, public)
    router.add("DELETE", "/bulk", bulk_control.clear_plans, public)
    router.add("GET", "/formulas", formula_control.list_executions, public)
    router.add("POST", "/formulas", formula_control.add_plan, public)
    router.add("DELETE", "/formulas", formula_control.clear_plans, public)
    router.add("GET", "/events", event_control.count_events, public)
    router.add("POST", "/events", event_control.emit_events, public)
    router.add("GET", "/deliveries", event_control.list_deliveries, public)
    router.add("PUT", "/vendors/{element}", control.set_vendor, public)
    router.add("GET", "/codes", control.list_codes, public)
    router.add("POST", "/codes", control.mint_code, public)
    router.add("GET", "/faults", control.list_faults, public)
    router.add("POST", "/faults", control.add_fault, public)
    router.add("DELETE", "/faults", control.clear_faults, public)
    router.add("GET POST", "/authorize/{element}", vendors.authorize, public)
    return router
