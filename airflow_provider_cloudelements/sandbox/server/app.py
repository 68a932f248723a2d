"""The ASGI application: reads a call, applies a fault if one is due, runs the handler, and records the call.

It is plain ASGI around Starlette's responses and nothing else, so that a call costs little and a fault can
act on the connection itself.
"""

from __future__ import annotations

import asyncio
import logging
import os
from urllib.parse import parse_qsl, unquote

from starlette.responses import RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from airflow_provider_cloudelements.sandbox.core import web
from airflow_provider_cloudelements.sandbox.core.auth import Access, authorize, parse_words
from airflow_provider_cloudelements.sandbox.core.errors import ApiError, not_emulated, phrase
from airflow_provider_cloudelements.sandbox.core.faults import Fault
from airflow_provider_cloudelements.sandbox.core.journal import Entry
from airflow_provider_cloudelements.sandbox.core.multipart import Upload
from airflow_provider_cloudelements.sandbox.core.router import Router
from airflow_provider_cloudelements.sandbox.core.web import error_reply
from airflow_provider_cloudelements.sandbox.routes import (
    ANY_ACCEPT,
    OVERSIZE,
    UPLOADS,
    api_router,
    control_router,
)
from airflow_provider_cloudelements.sandbox.server.connection import cut_connection, drop_connection
from airflow_provider_cloudelements.sandbox.server.sending import half_of, send_answer
from airflow_provider_cloudelements.sandbox.settings import (
    API_PREFIX,
    CONTROL_PREFIX,
    MAX_BODY_BYTES,
    Settings,
)
from airflow_provider_cloudelements.sandbox.state import Call, State

logger = logging.getLogger(__name__)

_WRITES = frozenset({"POST", "PUT", "PATCH"})


class ClientLeftError(Exception):
    """The client closed the connection before its request was complete."""


class SandboxApp:
    """The whole sandbox as an ASGI application.

    :param settings: the settings that stay fixed from the start.
    """

    def __init__(self, settings: Settings) -> None:
        self.state = State(settings)
        self._api = api_router()
        self._control = control_router()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            raise RuntimeError("the sandbox speaks only HTTP")
        raw_path: bytes = scope["raw_path"]
        parts = raw_path.decode("latin-1").strip("/").split("/")
        if b"%" in raw_path:
            parts = [unquote(part, errors="replace") for part in parts]
        call: Call = web.Call(
            self.state,
            scope["method"],
            parts,
            _query(scope["query_string"]),
            {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]},
            b"",
            os.urandom(12).hex(),
            os.urandom(12).hex(),
        )
        try:
            if parts[:2] == _API_PARTS:
                # Two slashes in a row mean one (fact F13).
                call.segments = [part for part in parts[2:] if part]
                await self._answer_api(call, scope, receive, send)
            elif parts[:1] == _CONTROL_PARTS:
                call.segments = parts[1:]
                await _read_body(call, receive)
                await send_answer(send, receive, self._perform(self._control, call), call)
            elif parts == [""] and call.method == "GET":
                await send_answer(
                    send, receive, RedirectResponse(CONTROL_PREFIX), call
                )  # a person who opens the address
            else:
                await send_answer(
                    send, receive, error_reply(not_emulated("this path"), call.request_id), call
                )
        except ClientLeftError:
            return
        except asyncio.CancelledError:
            # The server ends while this call waits. The client sees the connection close, as in a crash.
            await drop_connection(scope, receive)

    async def _answer_api(self, call: Call, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a call to the API, with the fault that is due, if any."""
        state, epoch, journal = self.state, self.state.epoch, self.state.journal
        call.words = parse_words(call.headers.get("authorization", ""))
        route = self._api.match(call.segments)
        literal = [] if route is None else [name is None for name in route.names if name != "rest"]
        entry = journal.open(
            call.method, call.segments, literal, [name for name, _ in call.query], list(call.words)
        )
        name = f"{entry.method} {'/' if route is None else route.template}"
        status: int | None = None
        try:
            if route is not None and route.handlers.get(call.method) in UPLOADS:
                call.upload = Upload(call.headers.get("content-type", ""))
            too_big = await _read_body(call, receive)
            if call.method in _WRITES and "instances" in call.segments:
                state.vendor.note_presented(call.body)
            fault = state.faults.pick(call.method, "/" + "/".join(call.segments))
            if fault is not None:
                entry.fault = fault.action
            late = fault is not None and fault.when == "after"
            if not late and not await self._wait(fault, receive, name):
                return
            response: Response | None = None
            if fault is not None and fault.action == "forget_range":
                call.headers.pop("range", None)
            if fault is None or late or fault.action in ("delay", "cut", "forget_range"):
                if state.epoch != epoch:
                    # A reset of the sandbox came meanwhile, so the state of this call no longer exists.
                    await drop_connection(scope, receive)
                    return
                if not too_big:
                    response = self._perform(self._api, call)
                else:
                    access = Access.PUBLIC if route is None else route.access_of(call.method)
                    response = OVERSIZE.get(access, _too_big)(call)
            if late:
                await self._wait(fault, receive, name)
            status = await self._deliver(call, fault, response, scope, receive, send, entry)
        finally:
            if call.upload is not None:
                call.upload.close()
            journal.close(entry, name, status)

    async def _wait(self, fault: Fault | None, receive: Receive, name: str) -> bool:
        """Wait as long as settings and fault say, and return whether the call continues."""
        behaviour = self.state.behaviour
        seconds = behaviour.delay + (fault.seconds if fault is not None else 0.0)
        if behaviour.create_delay and name in _CREATES:
            seconds += behaviour.create_delay
        if seconds <= 0:
            return True
        if fault is not None and fault.abandon:
            try:
                async with asyncio.timeout(seconds):
                    while (await receive())["type"] != "http.disconnect":
                        pass
            except TimeoutError:
                return True
            return False
        await asyncio.sleep(seconds)
        return True

    async def _deliver(
        self,
        call: Call,
        fault: Fault | None,
        response: Response | None,
        scope: Scope,
        receive: Receive,
        send: Send,
        entry: Entry,
    ) -> int | None:
        """Send the answer, as the fault changes it, and return the status sent."""
        action = None if fault is None else fault.action
        if action == "drop":
            await drop_connection(scope, receive)
            return None
        if fault is not None and action in ("status", "html"):
            response = _faulty(call, fault)
        if response is None:
            raise RuntimeError("a call without a fault was not performed")
        entry.status = response.status_code
        if action == "cut":
            cut_after = half_of(response) if fault is None or fault.bytes is None else fault.bytes
            await send_answer(send, receive, response, call, cut_after)
            await cut_connection(scope, receive)
        else:
            await send_answer(send, receive, response, call)
        return response.status_code

    def _perform(self, router: Router, call: Call) -> Response:
        """Run the handler of a path. Every error becomes the error body (order: choice C3)."""
        try:
            self.state.sessions.catch_up()
            self.state.agenda.catch_up()
            route = router.match(call.segments)
            if route is None:
                raise not_emulated("this path")
            call.params = {
                name: part for name, part in zip(route.names, call.segments, strict=False) if name is not None
            }
            access = route.access_of(call.method)
            call.instance = authorize(access, call.words, self.state.settings, self.state.store)
            handler = route.handlers.get(call.method)
            if handler is None:
                allowed = {"Allow": ", ".join(sorted(route.handlers))}
                raise ApiError(405, f"Method not allowed; allowed are {allowed['Allow']}", headers=allowed)
            if router is self._api and access is not Access.VENDOR and handler not in ANY_ACCEPT:
                _check_accept(call)
            response = handler(call)
            if call.instance is not None:
                response.headers["Elements-Element-Instance-Id"] = str(call.instance.id)  # fact F322
            return response
        except ApiError as error:
            return error_reply(error, call.request_id)
        except Exception as error:  # a bug of the sandbox must still look like the platform's 500
            place = error.__traceback__
            while place is not None and place.tb_next is not None:
                place = place.tb_next
            where = f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}" if place else "?"
            # The text of an unforeseen exception may quote a secret. Its type and place cannot.
            logger.error("Sandbox error %s at %s", type(error).__name__, where)
            return error_reply(
                ApiError(500, f"Internal error of the sandbox: {type(error).__name__}"), call.request_id
            )


_API_PARTS = API_PREFIX.strip("/").split("/")
_CONTROL_PARTS = CONTROL_PREFIX.strip("/").split("/")
_CREATES = frozenset({"POST /instances", "POST /elements/{element}/instances"})


def _query(raw: bytes) -> list[tuple[str, str]]:
    """Return the pairs of a query string."""
    return parse_qsl(raw.decode("latin-1"), keep_blank_values=True, errors="replace") if raw else []


async def _read_body(call: Call, receive: Receive) -> bool:
    """Read the body into the call and return whether it is over the limit.

    It reads a body that is too big to the end and discards it, so that the client can read the answer. A body
    that holds a file goes to its reader as it comes.
    """
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientLeftError
        chunk = message.get("body", b"")
        if call.upload is not None:
            call.upload.feed(chunk)
            if not message.get("more_body", False):
                return False
            continue
        size += len(chunk)
        if size <= MAX_BODY_BYTES:
            chunks.append(chunk)
        else:
            chunks.clear()
        if not message.get("more_body", False):
            break
    call.body = b"".join(chunks)
    return size > MAX_BODY_BYTES


def _too_big(call: Call) -> Response:
    """Answer a body over 8 MB with 429 (fact F49)."""
    return error_reply(ApiError(429, "The request body is larger than 8 MB"), call.request_id)


def _check_accept(call: Call) -> None:
    """Refuse a call that does not accept JSON, with 406 (fact F46)."""
    accept = call.headers.get("accept")
    if accept and "json" not in accept and "*/*" not in accept and "application/*" not in accept:
        raise ApiError(406, "Not acceptable: the answer is application/json")


def _faulty(call: Call, fault: Fault) -> Response:
    """Return the answer that a fault prescribes."""
    headers = {} if fault.retry_after is None else {"Retry-After": fault.retry_after}
    if fault.status in (204, 205, 304):  # HTTP allows no body for these
        return Response(b"", fault.status, headers)
    title = phrase(fault.status)
    if fault.action == "html" or fault.body == "html":
        page = f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
        return Response(page, fault.status, headers, "text/html")
    if fault.body == "text":
        return Response(title, fault.status, headers, "text/plain")
    if fault.body == "empty":
        return Response(b"", fault.status, headers)
    return error_reply(ApiError(fault.status, title, headers=headers), call.request_id)
