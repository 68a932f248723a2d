"""One ``requests`` session for each thread, and every rule of a call in one place.

The rules are authorization, time-outs, which calls to repeat and when, paging, and how an answer becomes an
error. The rest of the client names only the call.

Functions import ``requests`` themselves. Its import costs a tenth of that of ``airflow.sdk``, and every DAG
file that names an operator would pay for it.
"""

from __future__ import annotations

import logging
import platform
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from airflow_provider_cloudelements import __version__
from airflow_provider_cloudelements.client.wire.answer import LARGEST_ANSWER, Reply, TooLargeError, read_body
from airflow_provider_cloudelements.client.wire.clock import PlatformClock
from airflow_provider_cloudelements.client.wire.deadline import deadline, deadline_adapter
from airflow_provider_cloudelements.client.wire.decoding import decode
from airflow_provider_cloudelements.client.wire.doubt import may_have_acted
from airflow_provider_cloudelements.client.wire.errors import failure_of_answer
from airflow_provider_cloudelements.client.wire.faults import failure_of_transport
from airflow_provider_cloudelements.client.wire.listing import pages
from airflow_provider_cloudelements.client.wire.multipart import Form
from airflow_provider_cloudelements.client.wire.request import (
    Request,
    checked_timeout,
    query_text,
    without_query,
)
from airflow_provider_cloudelements.client.wire.streaming import Streamed, read_refusal
from airflow_provider_cloudelements.connections import API_PREFIX, ConnectionSettings
from airflow_provider_cloudelements.exceptions import (
    CloudElementsError,
    CloudElementsNotFoundError,
    CloudElementsServerError,
    CloudElementsTransportError,
)

if TYPE_CHECKING:
    import requests
    import tenacity

log = logging.getLogger(__name__)

#: Seconds to wait for a connection. Short, because the client may repeat at once a call that it could
#: not send.
CONNECT_TIMEOUT = 10.0
#: Longest pause before the client repeats a call, in seconds. If an answer asks for more, the caller gets the
#: error: its task can wait without holding a worker.
LONGEST_PAUSE = 60.0
#: Answers after which the client repeats a repeatable call (502: fact F47; 429 a few times only, since it may
#: also mean "too big": fact F49).
PASSING_STATUSES = frozenset({429, 502, 503, 504})
#: Methods of calls that have the same effect if the client sends them twice (fact F59).
REPEATABLE_METHODS = frozenset({"GET", "HEAD", "PUT", "DELETE"})
#: Page size of the platform's lists: the default and the maximum, as far as known (fact F55, unknown
#: U42).
PAGE_SIZE = 200

USER_AGENT = f"airflow-provider-cloudelements/{__version__} python/{platform.python_version()}"


class HttpSession:
    """Sends calls to one Cloud Elements account.

    :param settings: The connection: host, secrets, time-outs and retries.
    :param sleep: Replaces ``time.sleep`` in tests of pauses.
    """

    def __init__(self, settings: ConnectionSettings, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self.settings = settings
        #: The platform's clock, as the answers show it.
        self.platform_clock = PlatformClock()
        self._sleep = sleep
        self._local = threading.local()
        self._sessions: weakref.WeakSet[requests.Session] = weakref.WeakSet()
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        """Return what a copy or a pickle holds: the settings, with their secrets, and no connections."""
        return {"settings": self.settings, "sleep": self._sleep}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["settings"], sleep=state["sleep"])  # type: ignore[misc]

    def close(self) -> None:
        """Close every thread's pooled connections. The next call opens new ones."""
        with self._lock:
            sessions = list(self._sessions)
        for session in sessions:
            session.close()

    def send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Any = None,
        form: Form | None = None,
        token: str | None = None,
        timeout: float | None = None,
        repeatable: bool | None = None,
        headers: Mapping[str, str] | None = None,
        read: Callable[[bytes], Any] = decode,
    ) -> Reply:
        """Send one call, repeat it if that is safe, and return its answer.

        :param method: HTTP verb.
        :param path: Path below ``/elements/api-v2``, beginning with a slash.
        :param params: Query; a list value repeats its key.
        :param body: Sent as JSON, unless ``None``.
        :param form: Sent instead of ``body``, piece by piece.
        :param token: Element token. The session sends it with this call only and never keeps it: a stray
            token changes the meaning of other calls (facts F9, F10).
        :param timeout: Most seconds from the connection to the last byte of the answer, for each time that
            the client sends the call; default: the connection's ``request_timeout``. With ``form``, it is the
            time for each of its pieces, and then for the answer.
        :param repeatable: Whether the client may send the call twice; default: by its verb. It repeats any
            other call only if the call provably never left.
        :param headers: Further headers of this call.
        :param read: Function that decodes the answer's body. Default: to plain JSON.
        :return: The answer. A ``DELETE`` that the client repeated after a lost answer, and that now finds
            nothing, is a success: its body is ``None``.
        :raises CloudElementsError: The class that fits the failure. The method raises nothing else.
        """
        request = Request.of(
            self.settings, method, path, params=params, body=body, form=form, token=token, headers=headers
        )
        if repeatable is None:
            repeatable = request.method in REPEATABLE_METHODS
        seconds = checked_timeout(self.settings.request_timeout if timeout is None else timeout)
        in_doubt = False
        for attempt in self._attempts(repeatable):
            with attempt:
                try:
                    return self._send_once(request, seconds, read)
                except CloudElementsNotFoundError:
                    if not (in_doubt and request.method == "DELETE"):
                        raise
                    # What an earlier time of this call removed, its answer lost, is missing now.
                    return Reply(404, {}, None)
                except CloudElementsError as error:
                    in_doubt = in_doubt or may_have_acted(error)
                    raise
        raise AssertionError("tenacity ends with a result or an error")  # pragma: no cover

    def list_items(
        self,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        token: str | None = None,
        page_size: int | None = PAGE_SIZE,
    ) -> Iterator[Any]:
        """Yield a list's items, and read each page only when needed. See :meth:`list_pages`."""
        for page in self.list_pages(path, params=params, token=token, page_size=page_size):
            yield from page
            del page  # the page is free before the client reads the next one

    def list_pages(
        self,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        token: str | None = None,
        page_size: int | None = PAGE_SIZE,
        read: Callable[[bytes], Any] = decode,
    ) -> Iterator[list[Any]]:
        """Yield a list's pages, and read each only when needed.

        :func:`~.listing.pages` decides when a list ends.

        :param path: Path of the list.
        :param params: Query of every page.
        :param token: Element token, for an element's own resources.
        :param page_size: Items a page; ``None`` leaves the size to the server.
        :param read: Function that decodes a page. Default: to plain JSON.
        """
        # Refuse wrong arguments here, and not when the caller takes the first item.
        checked = Request.of(self.settings, "GET", path, params=params, token=token)
        query = {"pageSize": page_size, **(params or {})} if page_size else dict(params or {})

        def send(next_page: str | None) -> Reply:
            more = {} if next_page is None else {"nextPage": next_page}
            return self.send("GET", path, params={**query, **more}, token=token, read=read)

        # Only calls with an element token read an element's own resources.
        return pages(send, checked.path, of_element=token is not None)

    def _attempts(self, repeatable: bool) -> tenacity.Retrying:
        import tenacity

        return tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self.settings.max_retries + 1),
            retry=tenacity.retry_if_exception(lambda error: _may_repeat(error, repeatable)),
            wait=_Pause(),
            sleep=self._sleep,
            before_sleep=_tell_pause,
            reraise=True,
        )

    @contextmanager
    def streamed(
        self,
        path: str,
        *,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Iterator[Streamed]:
        """Open a body of any size, and close its connection when the block ends.

        The call is repeated as any ``GET`` until an answer begins. What then breaks off is the caller's to
        take up: :class:`~.streaming.Streamed` says how far it came. The connection's ``request_timeout``
        bounds the time until the answer begins, and then that between two parts of its body.

        :param path: Path below ``/elements/api-v2``, beginning with a slash.
        :param token: Element token.
        :param headers: Further headers of this call.
        :raises CloudElementsError: The class that fits the failure.
        """
        # A body that was packed on the way has no places to go on from.
        plain = {"Accept-Encoding": "identity", **(headers or {})}
        request = Request.of(self.settings, "GET", path, token=token, headers=plain)
        seconds = checked_timeout(self.settings.request_timeout)
        for attempt in self._attempts(repeatable=True):
            with attempt:
                answer, _ = self._exchange(request, seconds, read_refusal)
        body = Streamed(answer, request, self.settings, seconds)
        try:
            yield body
        finally:
            body.close()

    def _send_once(self, request: Request, timeout: float, read: Callable[[bytes], Any]) -> Reply:
        answer, content = self._exchange(request, timeout, read_body)
        return Reply(answer.status_code, answer.headers, self._parse(answer, content, request, read))

    def _exchange(
        self, request: Request, timeout: float, take: Callable[[requests.Response], bytes]
    ) -> tuple[requests.Response, bytes]:
        """Send a call once, and return its answer and what ``take`` reads of its body.

        :raises CloudElementsError: No whole answer came, or one that is not 2xx.
        """
        prepared: requests.PreparedRequest | None = None
        answer: requests.Response | None = None
        content: bytes | None = None
        failure: CloudElementsError | None = None
        with deadline(timeout) as time_limit:
            try:
                session = self._session
                prepared = self._prepare(session, request)
                answer = session.send(
                    prepared,
                    timeout=(min(CONNECT_TIMEOUT, timeout), timeout),
                    # A redirect (unknown U3) would turn a POST into a GET, and could carry the secrets
                    # elsewhere.
                    allow_redirects=False,
                    stream=True,
                )
                self.platform_clock.saw(answer.headers.get("Date"))
                content = take(answer)
            except CloudElementsError as error:  # of a form's file
                failure = error
            except TooLargeError:
                failure = CloudElementsServerError(
                    f"{request.method} {request.path}: the answer is larger than {LARGEST_ANSWER} bytes.",
                    method=request.method,
                    path=request.path,
                )
            except Exception as error:
                failure = failure_of_transport(
                    error, request, self.settings, written=prepared is not None, late=time_limit.over
                )
        if answer is None or content is None:
            # Raised outside the handler: requests puts the whole URL, query included, into its messages, and
            # a chained error would show it.
            raise failure or AssertionError("requests returned nothing")
        if not 200 <= answer.status_code < 300:
            raise failure_of_answer(answer, content, request, self.settings)
        return answer, content

    def _prepare(self, session: requests.Session, request: Request) -> requests.PreparedRequest:
        import requests

        # session.prepare_request also merges what this session never has, and parses the address anew. For
        # a list of thousands of pages this is a tenth of all its work.
        prepared = requests.PreparedRequest()
        prepared.prepare_method(request.method)
        self._prepare_address(prepared, request)
        prepared.prepare_headers({**session.headers, **request.headers})
        prepared.prepare_cookies(session.cookies)
        prepared.prepare_body(request.data, None)
        return prepared

    def _prepare_address(self, prepared: requests.PreparedRequest, request: Request) -> None:
        address = f"{self.settings.base_url}{API_PREFIX}{request.target}"
        if request.params is None or any(mark in request.target for mark in "?#"):
            prepared.prepare_url(address, request.params)
            return
        query = query_text(request.params)
        prepared.url = f"{_plain_address(address)}?{query}" if query else _plain_address(address)

    def _parse(
        self, answer: requests.Response, content: bytes, request: Request, read: Callable[[bytes], Any]
    ) -> Any:
        if not content.strip():
            return None
        try:
            return read(content)
        except (ValueError, RecursionError):
            pass  # raised below, outside the handler: the decoder's error holds the text
        raise CloudElementsServerError(
            f"{request.method} {request.path}: the answer ({answer.status_code}) is not JSON. Is "
            f"{self.settings.base_url} (connection {self.settings.conn_id!r}, field 'host') the API's host "
            "(api...), and not the console's (my...)?",
            status=answer.status_code,
            method=request.method,
            path=request.path,
        )

    @property
    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = self._new_session()
            with self._lock:
                self._sessions.add(session)
        return session

    def _new_session(self) -> requests.Session:
        settings = self.settings
        session = new_session(settings.base_url, settings.proxy, settings.ca_bundle)
        if not settings.verify_tls:
            session.verify = False
        session.headers["Accept"] = "application/json"
        for name in ("urllib3.connection", "urllib3.connectionpool"):
            logging.getLogger(name).addFilter(_no_query)  # the logger ignores a filter that it has
        return session


@lru_cache(maxsize=32)
def _plain_address(address: str) -> str:
    """Return an address without a query as ``requests`` writes it."""
    import requests

    prepared = requests.PreparedRequest()
    prepared.prepare_url(address, None)
    return str(prepared.url)


def new_session(url: str, proxy: str | None, ca_bundle: str | None = None) -> requests.Session:
    """Return a session that reads the environment once, and only for proxies and certificates.

    :param url: Address of the server.
    :param proxy: Address of a proxy; ``None``: as the environment says.
    :param ca_bundle: File of certificates to trust; ``None``: as the environment says.
    """
    import requests
    from requests.utils import get_environ_proxies

    session = requests.Session()
    session.proxies = {"http": proxy, "https": proxy} if proxy else get_environ_proxies(url)
    session.verify = ca_bundle or session.merge_environment_settings(url, {}, None, None, None)["verify"]
    # If this is on, requests reads the environment again for each call. It also puts a .netrc's login in
    # place of an Authorization header, or where none belongs.
    session.trust_env = False
    # requests parses even a redirect that it does not follow, and reads its body to the end. A malformed one
    # would hide the answer's status.
    session.get_redirect_target = lambda _answer: None  # type: ignore[assignment]
    session.headers["User-Agent"] = USER_AGENT
    for scheme in ("http://", "https://"):
        session.mount(scheme, deadline_adapter())
    return session


def _no_query(record: logging.LogRecord) -> bool:
    """Cut the query off our addresses in urllib3's log records: it may hold an app's secret (fact F122)."""
    args = record.args
    if isinstance(args, tuple) and any(isinstance(arg, str) and API_PREFIX in arg for arg in args):
        record.args = tuple(
            without_query(arg)
            if isinstance(arg, str)
            else arg
            if isinstance(arg, int | float | None)
            else type(arg).__name__
            for arg in args
        )
        record.exc_info = record.exc_text = None  # it quotes the answer's headers
    return True


def _may_repeat(error: BaseException, repeatable: bool) -> bool:
    if isinstance(error, CloudElementsTransportError):
        return repeatable or not error.sent
    if not repeatable or not isinstance(error, CloudElementsError):
        return False
    if (getattr(error, "retry_after", None) or 0) > LONGEST_PAUSE:
        return False
    # A 404 that is not the platform's own is a gateway's, and passes like its 502.
    foreign = error.status == 404 and isinstance(error, CloudElementsServerError)
    return foreign or error.status in PASSING_STATUSES


class _Pause:
    """Full-jitter back-off, never shorter than the pause that the answer asks for."""

    def __call__(self, state: tenacity.RetryCallState) -> float:
        from tenacity import wait_random_exponential

        outcome = state.outcome
        error = outcome.exception() if outcome is not None else None
        asked = getattr(error, "retry_after", None) or 0.0
        return max(float(wait_random_exponential(multiplier=0.5, max=20)(state)), asked)


def _tell_pause(state: tenacity.RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome is not None else None
    pause = state.next_action.sleep if state.next_action is not None else 0
    log.warning("Try %d failed, again in %.1f s: %s", state.attempt_number, pause, error)
