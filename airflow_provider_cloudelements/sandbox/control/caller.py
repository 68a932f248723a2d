"""Talk to a running sandbox, for the commands ``emit`` and ``code``."""

from __future__ import annotations

import http.client
import json
import sys
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_cloudelements.sandbox.settings import CONTROL_PREFIX

_SECONDS = 30.0


class CallerError(RuntimeError):
    """The sandbox did not answer, or cannot do what the command needs."""


class Caller:
    """A running sandbox, on one connection.

    :param url: its origin.
    :raises ValueError: the address is none of a sandbox.
    """

    def __init__(self, url: str) -> None:
        try:
            address = urlsplit(url)
            port = address.port
        except ValueError:
            address, port = urlsplit(""), None
        if address.scheme != "http" or not address.hostname:
            raise ValueError("--url must be like http://127.0.0.1:8095")
        self.url = f"http://{address.netloc}"
        self._connection = http.client.HTTPConnection(address.hostname, port, timeout=_SECONDS)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def get(self, path: str) -> Any:
        """Return the answer of a control call.

        :param path: its path, below the prefix of control calls.
        """
        return self._read(self.send("GET", f"{CONTROL_PREFIX}{path}", None, {}))

    def post(self, path: str, body: Any) -> Any:
        """Send a body to a control call, and return its answer.

        :param path: its path, below the prefix of control calls.
        :param body: JSON.
        """
        content = json.dumps(body).encode("ascii")
        headers = {"Content-Type": "application/json"}
        return self._read(self.send("POST", f"{CONTROL_PREFIX}{path}", content, headers))

    def _read(self, answer: bytes) -> Any:
        try:
            return json.loads(answer)
        except ValueError:
            raise CallerError(f"what answers at {self.url} is no sandbox") from None

    def send(self, method: str, path: str, content: bytes | None, headers: dict[str, str]) -> bytes:
        """Make one call and return the answer's body.

        :raises CallerError: no sandbox answers, or it answers an error.
        """
        try:
            self._connection.request(method, path, content, headers)
            response = self._connection.getresponse()
            answer = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise CallerError(f"no sandbox answers at {self.url}: {type(error).__name__}") from None
        if response.status != 200:
            raise CallerError(f"the sandbox answered {response.status}{_reason(answer)}")
        return answer


def _reason(answer: bytes) -> str:
    try:
        message = json.loads(answer)["message"]
    except (ValueError, TypeError, KeyError):
        return ""
    return f": {message}"


def fail(message: str, code: int) -> int:
    """Print what is wrong to stderr, and return the exit code.

    :param message: what is wrong.
    :param code: the exit code.
    """
    sys.stderr.write(f"cloudelements sandbox: {message}\n")
    return code
