"""The errors between a task and Cloud Elements, one class for each action that a reader would take.

All are :class:`airflow.exceptions.AirflowException`, so ``soft_fail``, retry policies and ``except
AirflowException`` see them. None ever carries a secret: the client redacts the server's texts before it
raises the error, and keeps the path without its query.

The table shows the HTTP status that becomes each error, and whether a retry helps:

.. code-block:: text

    CloudElementsError                          other 4xx  helps
    ├── CloudElementsConnectionError                       cannot help
    ├── CloudElementsAuthError                  401        cannot help
    ├── CloudElementsForbiddenError             403        cannot help
    │   └── CloudElementsInstanceDisabledError  403        cannot help: re-authenticate it
    ├── CloudElementsNotFoundError              404        cannot help
    ├── CloudElementsConflictError              409        cannot help
    ├── CloudElementsRateLimitError             429        helps
    ├── CloudElementsValidationError            400, 422   helps only if the vendor refused
    │   └── CloudElementsManifestError                     cannot help
    ├── CloudElementsUnsafePlanError                       cannot help: force it by name, or change less
    ├── CloudElementsSignatureError                        cannot help
    ├── CloudElementsServerError                3xx, 5xx   helps
    ├── CloudElementsTransportError                        helps
    │   └── CloudElementsTimeoutError                      helps
    ├── CloudElementsApplyError                            helps: it goes on with the rest
    ├── CloudElementsDriftError                            helps if nothing would change by then
    ├── CloudElementsUnhealthyError                        helps if they are healthy again by then
    ├── CloudElementsFormulaError                          helps: it starts another execution
    ├── CloudElementsBulkError                             helps: another job; an upload: see its page
    └── CloudElementsAmbiguousCreateError                  helps: it looks up first, and sends no code again

A 404 is a ``CloudElementsNotFoundError`` only if it is the platform's own. One without the platform's
``message`` or ``requestId`` comes from a gateway, and is a ``CloudElementsServerError``. A status that stays,
however often the client repeats the request (such as 405, 406, 413, 415 and 501), makes any kind ``final``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from airflow_provider_cloudelements.compat import AirflowException

__all__ = [
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
]


class CloudElementsError(AirflowException):
    """Base class of all errors that this provider raises.

    :param message: What went wrong and what to do, in one or two sentences.
    :param status: HTTP status of the answer; ``None`` if there was none.
    :param request_id: The platform's id of the request (header ``Elements-Request-Id`` or field
        ``requestId``), which its support asks for.
    :param provider_message: The vendor's own text, if the vendor's API refused (field
        ``providerMessage``).
    :param method: HTTP verb of the request.
    :param path: Path of the request, without prefix and query.
    :param instance_id: Id of the instance that the failed operation made or found as the one to work on;
        ``None`` if it knew none. A later failure of a create still carries the id of what it made.
    """

    #: Set by a delete of several instances that failed: the ids that are gone, and those that are not.
    deleted: tuple[int, ...] = ()
    not_deleted: tuple[int, ...] = ()
    #: Set for a single failure if the provider knows that no later try can help.
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
        instance_id: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.request_id = request_id
        self.provider_message = provider_message
        self.method = method
        self.path = path
        self.instance_id = instance_id

    def advise(self, advice: str) -> None:
        """Add to the message what only the caller of the failed call knows: what to do.

        :param advice: One or two sentences.
        """
        self.args = (f"{self} {advice}", *self.args[1:])

    @property
    def retryable(self) -> bool:
        """Whether a later try of the same call can end differently.

        If not, the operators' base class turns the failure into an ``AirflowFailException``, so that Airflow
        spends no retry on it.
        """
        return self._kind_may_pass and not self.final

    @property
    def concerns_account(self) -> bool:
        """Whether every other call of the connection would fail in the same way just now."""
        return False


@contextmanager
def concerning(instance_id: int) -> Iterator[None]:
    """Let errors carry the id of the instance that the work in the block is about.

    :param instance_id: The id. An error that carries another one keeps it.
    """
    try:
        yield
    except CloudElementsError as error:
        if error.instance_id is None:
            error.instance_id = instance_id
        raise


class CloudElementsConnectionError(CloudElementsError):
    """A connection's field is missing or malformed. The message names the field, never its value."""

    _kind_may_pass = False


class CloudElementsAuthError(CloudElementsError):
    """The platform refuses a secret or the element token. With a provider message, the vendor refuses."""

    _kind_may_pass = False

    @property
    def concerns_account(self) -> bool:
        """Whether the platform refuses the connection's secrets, and not a vendor those of an instance."""
        return self.provider_message is None


class CloudElementsForbiddenError(CloudElementsError):
    """The platform or the vendor forbids the call."""

    _kind_may_pass = False


class CloudElementsInstanceDisabledError(CloudElementsForbiddenError):
    """The instance is disabled, or its stored authentication no longer works: re-authenticate it."""


class CloudElementsNotFoundError(CloudElementsError):
    """There is no such element, instance or other thing."""

    #: Whether the platform's message says that there is none of what was asked for (fact F54).
    says_none = False
    _kind_may_pass = False


class CloudElementsConflictError(CloudElementsError):
    """An existing object is in the way, such as an instance that does not fit its key."""

    _kind_may_pass = False


class CloudElementsRateLimitError(CloudElementsError):
    """Too many requests, or too large a one: the platform answers 429 to bodies over 8 MB as well.

    :param retry_after: Seconds that the answer asked to wait; ``None`` if it named none.
    """

    def __init__(self, message: str = "", *, retry_after: float | None = None, **details: object) -> None:
        super().__init__(message, **details)  # type: ignore[arg-type]
        self.retry_after = retry_after

    @property
    def concerns_account(self) -> bool:
        """Whether every other call would be refused just now: yes."""
        return True


class CloudElementsValidationError(CloudElementsError):
    """A request is not valid, by our own check of an argument or by the platform's check.

    A 400 with a provider message came from the vendor's API, which may accept the same request later. Any
    other request stays invalid, however often the client sends it.
    """

    @property
    def retryable(self) -> bool:
        """Whether a later try can end differently: only if the vendor refused the request."""
        return self.provider_message is not None and not self.final


class CloudElementsManifestError(CloudElementsValidationError):
    """A manifest is not valid. Nothing was called.

    :param problems: What is wrong with it, all at once: objects with ``place`` (file and line), ``instance``,
        ``field`` and ``message``. None holds a value of the manifest.
    """

    def __init__(self, message: str = "", *, problems: tuple[object, ...] = (), **details: object) -> None:
        super().__init__(message, **details)  # type: ignore[arg-type]
        self.problems = problems

    @property
    def retryable(self) -> bool:
        """Whether a later try can end differently: no."""
        return False


class CloudElementsUnsafePlanError(CloudElementsError):
    """A plan changes more than its limits allow, or something grave that nobody forced by name."""

    _kind_may_pass = False


class CloudElementsSignatureError(CloudElementsError):
    """A notification is not signed with the instance's signature key, or not signed at all.

    The message says why, and shows neither key nor signature.
    """

    _kind_may_pass = False


class CloudElementsServerError(CloudElementsError):
    """The platform failed, or answered something that its API does not describe.

    :param retry_after: Seconds that the answer asked to wait; ``None`` if it named none.
    """

    def __init__(self, message: str = "", *, retry_after: float | None = None, **details: object) -> None:
        super().__init__(message, **details)  # type: ignore[arg-type]
        self.retry_after = retry_after


class CloudElementsTransportError(CloudElementsError):
    """No complete answer came: the connection was refused, reset or cut.

    :param sent: ``False`` only if the request provably never left, so that the server cannot have
        acted on it.
    """

    def __init__(self, message: str = "", *, sent: bool = True, **details: object) -> None:
        super().__init__(message, **details)  # type: ignore[arg-type]
        self.sent = sent


class CloudElementsTimeoutError(CloudElementsTransportError):
    """No answer came within the time allowed."""


class CloudElementsApplyError(CloudElementsError):
    """A plan was applied, and some of its changes were not made."""


class CloudElementsDriftError(CloudElementsError):
    """The account is not as its manifest says."""


class CloudElementsUnhealthyError(CloudElementsError):
    """A check found instances in a state on which the task must fail."""


class CloudElementsFormulaError(CloudElementsError):
    """An execution of a formula failed, was cancelled, or took too long.

    :param execution_id: Id of the execution.
    :param execution_status: Its status, as last seen.
    """

    def __init__(
        self,
        message: str = "",
        *,
        execution_id: int | None = None,
        execution_status: str | None = None,
        **details: object,
    ) -> None:
        super().__init__(message, **details)  # type: ignore[arg-type]
        self.execution_id = execution_id
        self.execution_status = execution_status


class CloudElementsBulkError(CloudElementsError):
    """A bulk job failed, was cancelled or took too long, or its result is not what the job says of it.

    :param job_id: Id of the job.
    :param job_status: Its status, as last seen.
    """

    def __init__(
        self,
        message: str = "",
        *,
        job_id: int | None = None,
        job_status: str | None = None,
        **details: object,
    ) -> None:
        super().__init__(message, **details)  # type: ignore[arg-type]
        self.job_id = job_id
        self.job_status = job_status


class CloudElementsAmbiguousCreateError(CloudElementsError):
    """A create, a re-authentication or a start may have taken place; look-ups could not show whether it did.

    The next try looks up first, so a retry is safe, unless a one-time code may be spent. After the start of a
    formula a retry is safe if no execution has appeared; else the error is ``final``. After the start of an
    upload it always is.

    :param code_spent: Whether a one-time authorization code went out with the request. A retry then only
        looks for what the server may have made late. It does not send the code again.
    """

    def __init__(self, message: str = "", *, code_spent: bool = False, **details: object) -> None:
        super().__init__(message, **details)  # type: ignore[arg-type]
        self.code_spent = code_spent
