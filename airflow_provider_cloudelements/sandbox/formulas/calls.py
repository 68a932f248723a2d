"""Handlers of /formulas: templates and their instances (facts F401 to F403, F410, F411)."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from airflow_provider_cloudelements.sandbox.core.errors import bad_request, not_found
from airflow_provider_cloudelements.sandbox.core.paging import cut_page
from airflow_provider_cloudelements.sandbox.core.web import empty_reply, json_reply, to_id
from airflow_provider_cloudelements.sandbox.formulas.store import FormulaInstance
from airflow_provider_cloudelements.sandbox.formulas.templates import INSTANCE_KEY, TEMPLATES, Template
from airflow_provider_cloudelements.sandbox.formulas.views import instance_view
from airflow_provider_cloudelements.sandbox.state import Call


def template_of(call: Call) -> Template:
    """Return the formula in the path, or raise 404.

    :param call: the request.
    """
    template = TEMPLATES.get(call.number("formula") or 0)
    if template is None:
        raise not_found("formula with this id")
    return template


def formula_instance_of(call: Call) -> FormulaInstance:
    """Return the instance of a formula in the path, or raise 404.

    :param call: the request.
    """
    instance = call.state.formulas.get(call.number("formula_instance"))
    if instance is None or ("formula" in call.params and instance.template is not template_of(call)):
        raise not_found("formula instance with this id")
    return instance


def list_formulas(call: Call) -> Response:
    """GET /formulas: lists the formulas, in pages (fact F411; which there are is choice C401)."""
    page, headers = cut_page(call, call.state.behaviour, list(TEMPLATES.values()), lambda each: each.id)
    return json_reply([each.view() for each in page], headers)


def get_formula(call: Call) -> Response:
    """GET /formulas/{id}: returns one formula."""
    return json_reply(template_of(call).view())


def create_instance(call: Call) -> Response:
    """POST /formulas/{id}/instances {name, active, configuration, settings}: makes one (fact F401)."""
    template = template_of(call)
    fields = _read(call, template, call.json_object())
    instance = call.state.formulas.add(template, template.name)
    _set(instance, fields)
    return json_reply(instance_view(instance))


def change_instance(call: Call) -> Response:
    """PUT /formulas/{id}/instances/{instance}: changes the fields that the body names (choice C402)."""
    instance = formula_instance_of(call)
    body = call.json_object()
    _set(instance, _read(call, instance.template, {"configuration": instance.configuration, **body}))
    return json_reply(instance_view(instance))


def _read(call: Call, template: Template, body: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a body; 400 names what does not fit (choice C404)."""
    kinds: dict[str, type] = {"name": str, "active": bool, "configuration": dict, "settings": dict}
    for name, kind in kinds.items():
        if body.get(name) is not None and not isinstance(body[name], kind):
            raise bad_request(f"Field {name} does not have the right type")
    configuration = body.get("configuration") or {}
    missing = [key for key in template.required if configuration.get(key) in (None, "")]
    if missing:
        raise bad_request(f"Missing required configuration: {', '.join(missing)}")
    if template.needs_instance and call.state.store.get(to_id(str(configuration[INSTANCE_KEY]))) is None:
        raise bad_request(f"Configuration {INSTANCE_KEY} must be the id of an element instance")
    return {name: body[name] for name in kinds if body.get(name) is not None}


def _set(instance: FormulaInstance, fields: dict[str, Any]) -> None:
    for name, value in fields.items():
        setattr(instance, name, value)


def list_instances(call: Call) -> Response:
    """GET /formulas/instances: lists them, with ``elementInstanceId``, ``searchText`` and pages (F403)."""
    return _list(call, call.state.formulas.instances())


def list_formula_instances(call: Call) -> Response:
    """GET /formulas/{id}/instances: lists those of one formula."""
    template = template_of(call)
    return _list(call, [each for each in call.state.formulas.instances() if each.template is template])


def _list(call: Call, found: list[FormulaInstance]) -> Response:
    if element_instance := call.value("elementInstanceId"):
        found = [each for each in found if str(each.element_instance) == element_instance]
    if text := call.value("searchText"):
        found = [each for each in found if text.lower() in each.name.lower()]
    page, headers = cut_page(call, call.state.behaviour, found, lambda each: each.id)
    return json_reply([instance_view(each) for each in page], headers)


def get_instance(call: Call) -> Response:
    """GET /formulas/instances/{instance}: returns one instance."""
    return json_reply(instance_view(formula_instance_of(call)))


def delete_instance(call: Call) -> Response:
    """DELETE /formulas/{id}/instances/{instance}: deletes it and its executions; 200 and no body."""
    call.state.formulas.remove(formula_instance_of(call))
    return empty_reply()


def activate(call: Call) -> Response:
    """PUT /formulas/{id}/instances/{instance}/active: lets it be triggered (fact F402)."""
    formula_instance_of(call).active = True
    return empty_reply()


def deactivate(call: Call) -> Response:
    """DELETE /formulas/{id}/instances/{instance}/active: lets it be triggered no more (fact F402)."""
    formula_instance_of(call).active = False
    return empty_reply()
