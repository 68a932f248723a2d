"""The one shape of an error: requestId, message and, from a vendor, providerMessage (facts F41, F42)."""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus


@dataclass
class ApiError(Exception):
    """An answer that is not 2xx; handlers raise it and the application renders it.

    :param status: the HTTP status.
    :param message: text for a person; it never repeats a value that may be a secret.
    :param provider_message: the vendor's own text, if the vendor refused.
    :param headers: further response headers.
    """

    status: int
    message: str
    provider_message: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def body(self, request_id: str) -> dict[str, str]:
        """Return the error body.

        :param request_id: 24 hex characters, also sent as Elements-Request-Id.
        """
        body = {"requestId": request_id, "message": self.message}
        if self.provider_message is not None:
            body["providerMessage"] = self.provider_message
        return body


def bad_request(message: str) -> ApiError:
    """Return a 400, which often means a missing parameter (fact F46).

    :param message: what is wrong.
    """
    return ApiError(400, message)


def unauthorized() -> ApiError:
    """Return the 401 for any missing or wrong word, in the platform's words (facts F43, F44)."""
    return ApiError(401, "Invalid Organization or User secret, or invalid Element token provided.")


def not_found(what: str) -> ApiError:
    """Return a 404 whose message has the "No ... found" pattern that clients know (fact F54).

    :param what: the kind of thing that is missing, in the plural.
    """
    return ApiError(404, f"No {what} found")


def not_emulated(what: str) -> ApiError:
    """Return a 404 for a call that the platform has and the sandbox does not emulate (choice C46).

    :param what: the area.
    """
    return ApiError(404, f"The sandbox does not emulate {what}")


def phrase(status: int) -> str:
    """Return the status's own phrase, or its number.

    :param status: the HTTP status.
    """
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return str(status)
