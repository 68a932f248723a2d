"""What can go wrong between a task and Cloud Elements, one class for each thing a reader would do about it.

All are :class:`airflow.exceptions.AirflowException`, so ``soft_fail``, retry policies and ``except
AirflowException`` see them. None ever carries a secret: the client redacts what the server says before it
gets here, and the path is kept without its query.

Each with the HTTP status that becomes it, and whether a retry helps:

.. code-block:: text

    CloudElementsError                          other 4xx  helps
    ├── CloudElementsConnectionError                       cannot help
    ├── CloudElementsAuthError                  401        cannot help
    ├── CloudElementsForbiddenError             403        cannot help
    │   └── CloudElementsInstanceDisabledError  403        cannot help: re-authenticate it
    ├── CloudElementsNotFoundError              404        cannot help
    ├── CloudElementsConflictError              409        cannot help
    ├── CloudElementsRateLimitError             429        helps
    ├── CloudElementsValidationError            400, 422   helps only where the vendor refused
    ├── CloudElementsSignatureError                        cannot help
    ├── CloudElementsServerError                3xx, 5xx   helps
    ├── CloudElementsTransportError                        helps
    │   └── CloudElementsTimeoutError                      helps
    ├── CloudElementsUnhealthyError                        helps if they are healthy again by then
    └── CloudElementsAmbiguousCreateError                  helps: it looks first, and sends no code again
"""

from __future__ import annotations

from airflow_provider_cloudelements.compat import AirflowException

__all__ = [
    "CloudElementsAmbiguousCreateError",
    "CloudElementsAuthError",
    "CloudElementsConflictError",
    "CloudElementsConnectionError",
    "CloudElementsError",
    "CloudElementsForbiddenError",
    "CloudElementsInstanceDisabledError",
    "CloudElementsNotFoundError",
    "CloudElementsRateLimitError",
    "CloudElementsServerError",
    "CloudElementsSignatureError",
    "CloudElementsTimeoutError",
    "CloudElementsTransportError",
    "CloudElementsUnhealthyError",
    "CloudElementsValidationError",
]


class CloudElementsError(AirflowException):
    """Base of everything that this provider raises.

    :param message: What went wrong and what to do, in one or two sentences.
    :param status: HTTP status of the answer, ``None`` when there was none.
    :param request_id: The platform's id of the request (header ``Elements-Request-Id`` or field
        ``requestId``), which its support asks for.
    :param provider_message: The vendor's own words, when the vendor's API refused (field
        ``providerMessage``).
    :param method: HTTP verb of the request.
    :param path: Path of the request, without prefix and query.
    """

    #: Set where this very failure is known to be one that no later try can help.
    final = False
    _kind_may_pass = True

    def __init__(
        self,
        message: str = "",
        *,
        status: int | None = None,
        request_id: str | None = None,
        provider_message: str | None = None,
        method: str | None = None,
        path: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.request_id = request_id
        self.provider_message = provider_message
        self.method = method
        self.path = path

    @property
    def retryable(self) -> bool:
        """Whether a later try of the same call can end otherwise.

        The operators' base class turns a failure that cannot into an ``AirflowFailException``, so that no
        retry is spent on it.
        """
        return self._kind_may_pass and not self.final


class CloudElementsConnectionError(CloudElementsError):
    """A connection's field is missing or malformed. Names the field, never its value."""

    _kind_may_pass = False


class CloudElementsAuthError(CloudElementsError):
    """The platform refuses a secret or the element token; with a provider message the vendor refuses."""

    _kind_may_pass = False


class CloudElementsForbiddenError(CloudElementsError):
    """The platform or the vendor forbids the call."""

    _kind_may_pass = False


class CloudElementsInstanceDisabledError(CloudElementsForbiddenError):
    """The instance is disabled, or its stored authentication no longer works: re-authenticate it."""


class CloudElementsNotFoundError(CloudElementsError):
    """There is no such element, instance or other thing."""

    _kind_may_pass = False


class CloudElementsConflictError(CloudElementsError):
    """What exists stands in the way, such as an instance that does not fit its key."""

    _kind_may_pass = False


class CloudElementsRateLimitError(CloudElementsError):
    """Too many requests, or too large a one: the platform answers 429 to bodies over 8 MB as well.

    :param retry_after: Seconds that the answer asked to wait, ``None`` when it named none.
    """

    def __init__(self, message: str = "", *, retry_after: float | None = None, **details: object) -> None:
        super().__init__(message, **details)  # type: ignore[arg-type]
        self.retry_after = retry_after


class CloudElementsValidationError(CloudElementsError):
    """What was asked is not valid: by our own check of an argument, or by the platform's.

    A 400 with a provider message came from the vendor's API, which may accept the same later; any other
    stays wrong however often it is sent.
    """

    @property
    def retryable(self) -> bool:
        """Only what the vendor refused can end otherwise."""
        return self.provider_message is not None and not self.final


class CloudElementsSignatureError(CloudElementsError):
    """A notification is not signed with the instance's signature key, or not signed at all.

    Says why, with neither key nor signature.
    """

    _kind_may_pass = False


class CloudElementsServerError(CloudElementsError):
    """The platform failed, or answered something that its API does not describe.

    :param retry_after: Seconds that the answer asked to wait, ``None`` when it named none.
    """

    def __init__(self, message: str = "", *, retry_after: float | None = None, **details: object) -> None:
        super().__init__(message, **details)  # type: ignore[arg-type]
        self.retry_after = retry_after


class CloudElementsTransportError(CloudElementsError):
    """No complete answer came: refused, reset, cut.

    :param sent: ``False`` only when it is proven that the request never left, so that the server cannot
        have acted on it.
    """

    def __init__(self, message: str = "", *, sent: bool = True, **details: object) -> None:
        super().__init__(message, **details)  # type: ignore[arg-type]
        self.sent = sent


class CloudElementsTimeoutError(CloudElementsTransportError):
    """No answer within the time allowed."""


class CloudElementsUnhealthyError(CloudElementsError):
    """Instances were checked, and some are in a state that the task shall fail on."""


class CloudElementsAmbiguousCreateError(CloudElementsError):
    """It is not known whether a create or a re-authentication took place; look-ups did not tell.

    The next try looks up first, so a retry is safe, unless a one-time code may be spent.

    :param code_spent: Whether a one-time authorization code went out with the request. A retry then only
        looks, for what the server may have made late, and does not send the code again.
    """

    def __init__(self, message: str = "", *, code_spent: bool = False, **details: object) -> None:
        super().__init__(message, **details)  # type: ignore[arg-type]
        self.code_spent = code_spent
