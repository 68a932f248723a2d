"""Traces of how creates authenticated: GET /elements/{key}/trace/{Elements-Trace-Id}.

A create with ``providerData.debug`` leaves a trace (fact F136). The form of the platform's traces is unknown
(U124). The fields here are the sandbox's own (choice C129), and none of them is a secret.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from airflow_provider_cloudelements.sandbox.core.errors import ApiError
from airflow_provider_cloudelements.sandbox.elements.catalogue import Element
from airflow_provider_cloudelements.sandbox.instances.store import now_text

_KEPT = 1000


@dataclass(frozen=True, slots=True)
class Trace:
    """How one create authenticated.

    :param element: the element of the create.
    :param created: the time, as the API writes it.
    :param refusal: the vendor's text, or None when the vendor accepted the credentials.
    """

    element: Element
    created: str
    refusal: str | None


class Traces:
    """The latest traces, up to a limit, by id."""

    def __init__(self) -> None:
        self._traces: OrderedDict[str, Trace] = OrderedDict()

    def clear(self) -> None:
        """Forget all traces."""
        self._traces.clear()

    def note(self, trace_id: str, element: Element, error: ApiError | None = None) -> None:
        """Keep the trace of a create.

        :param trace_id: the value of the answer's header Elements-Trace-Id.
        :param element: the element.
        :param error: the vendor's refusal, if it refused.
        """
        refusal = None if error is None else error.provider_message
        self._traces[trace_id] = Trace(element, now_text(), refusal)
        if len(self._traces) > _KEPT:
            self._traces.popitem(last=False)

    def view(self, trace_id: str, element: Element) -> dict[str, Any] | None:
        """Return a trace as the API shows it, or None when the element has no such trace.

        :param trace_id: its id.
        :param element: the element.
        """
        trace = self._traces.get(trace_id)
        if trace is None or trace.element is not element:
            return None
        view: dict[str, Any] = {
            "traceId": trace_id,
            "elementKey": element.key,
            "createdDate": trace.created,
            "authentication": {"type": element.authentication},
            "success": trace.refusal is None,
        }
        return view if trace.refusal is None else {**view, "providerMessage": trace.refusal}
