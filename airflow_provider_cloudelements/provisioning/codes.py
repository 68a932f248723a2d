"""Send an authorization code once, and not before all that can be checked without it is in order."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Iterable, Mapping
from typing import Any

from airflow_provider_cloudelements.client.elements import ElementsApi
from airflow_provider_cloudelements.client.models import Element, Instance
from airflow_provider_cloudelements.connections import FIELD_OF_KEY
from airflow_provider_cloudelements.exceptions import (
    CloudElementsAmbiguousCreateError,
    CloudElementsError,
    CloudElementsForbiddenError,
    CloudElementsNotFoundError,
    CloudElementsValidationError,
)
from airflow_provider_cloudelements.keys import OAUTH_CALLBACK_URL, OAUTH_SCOPE, REFRESH_TOKEN
from airflow_provider_cloudelements.provisioning.doubt import may_have_asked_vendor
from airflow_provider_cloudelements.provisioning.fingerprints import Fingerprints
from airflow_provider_cloudelements.provisioning.memory import Memory
from airflow_provider_cloudelements.provisioning.spec import InstanceSpec

log = logging.getLogger(__name__)

_STILL_GOOD = "The authorization code was not sent, so it is still good."
#: What to do about a code that is spent.
ASK_AGAIN = "ask for consent again and start a new run with a new one"


class Code:
    """Hold the result of a vendor's login, and whether it was sent. It works once.

    :param login: The code, or what stands for it.
    :param fingerprints: Made with the connection's secrets.
    :param memory: Remembers over tries that the code was sent.
    """

    def __init__(self, login: Any, fingerprints: Fingerprints, memory: Memory) -> None:
        self._fingerprint = fingerprints.code(login)
        self._memory = memory

    def check_unsent(self, whose: str, shown_by: str) -> None:
        """Check that no earlier try may have spent the code.

        :param whose: What the code is for, as the error names it.
        :param shown_by: What shows that an earlier send had no effect, as the error names it.
        :raises CloudElementsAmbiguousCreateError: An earlier try may have sent the code.
        """
        if self._memory.code_sent(self._fingerprint):
            spent = CloudElementsAmbiguousCreateError(
                f"An earlier try for {whose} may have sent this authorization code already, and "
                f"{shown_by}. A code works once: {ASK_AGAIN}.",
                code_spent=True,
            )
            spent.final = True
            raise spent

    def going_out(self) -> None:
        """Note, before it happens, that the code is sent."""
        self._memory.sending_code(self._fingerprint)

    def refused(self, error: CloudElementsError) -> None:
        """Record what a refusal means for the code that the call carried.

        The code counts as spent only if the vendor may have been asked.

        :param error: The refusal.
        """
        if not may_have_asked_vendor(error):
            self._memory.code_kept(self._fingerprint)
            log.info("The vendor was not asked, so the authorization code is still good.")
            return
        error.advise(
            "The refused call carried the authorization code, which works once and for a few minutes only: "
            f"{ASK_AGAIN}."
        )
        error.final = True  # the vendor received the code and refused it: no later try has a better one


def check_before_create(elements: ElementsApi, spec: InstanceSpec) -> None:
    """Check, before a code goes out, that the create can succeed: element and required configuration exist.

    The platform refuses a create without these as well, but the code may be lost then.

    :param elements: The account's elements; one call.
    :param spec: The instance.
    :raises CloudElementsNotFoundError: There is no such element.
    :raises CloudElementsValidationError: A value that the element requires is missing. The error names its
        configuration key and the element connection's field.
    :raises CloudElementsError: The call failed. The code was not sent.
    """
    try:
        keys = elements.configuration(spec.element)
    except CloudElementsNotFoundError:
        check_element(elements, spec.element, _STILL_GOOD)
        return
    except CloudElementsForbiddenError as error:
        log.warning("The element's configuration cannot be checked before the create: %s", error)
        return
    known = {each.key for each in keys}
    required = {each.key for each in keys if each.required}
    if OAUTH_CALLBACK_URL in known:
        required.add(OAUTH_CALLBACK_URL)
    missing = [each.key for each in keys if each.key in required and _empty(spec.configuration, each.key)]
    foreign = spec.configuration.keys() - known
    if missing:
        raise _missing(f"Element {spec.element!r}", missing, foreign)
    if OAUTH_SCOPE in known and _empty(spec.configuration, OAUTH_SCOPE):
        log.warning(
            "No scope is given: %s. Some vendors then give no refresh token.", _named(OAUTH_SCOPE, foreign)
        )


def check_before_login(instance: Instance, configuration: Mapping[str, Any]) -> None:
    """Check, before a code goes out to an existing instance, that it has a callback URL to send with it.

    An instance that was made with a refresh token may have none (fact F131).

    :param instance: The instance, with its configuration.
    :param configuration: What goes out with the code.
    :raises CloudElementsValidationError: Neither has a callback URL.
    """
    if OAUTH_CALLBACK_URL in instance.configuration and _empty(
        {**instance.configuration, **configuration}, OAUTH_CALLBACK_URL
    ):
        raise _missing(f"Instance {instance.id}", [OAUTH_CALLBACK_URL], configuration.keys())


def _empty(configuration: Mapping[str, Any], key: str) -> bool:
    return configuration.get(key) in (None, "")


def _missing(what: str, missing: Iterable[str], others: Iterable[str]) -> CloudElementsValidationError:
    """Return the error for missing configuration keys; ``others`` are given keys that may be mistyped."""
    texts = " and ".join(_named(key, others) for key in missing)
    return CloudElementsValidationError(f"{what} needs {texts}. {_STILL_GOOD}")


def _named(key: str, others: Iterable[str]) -> str:
    """Return a key with where to give it, and the given key that may be a mistyped one."""
    field = FIELD_OF_KEY.get(key, "configuration")
    near = _nearest(key, others)
    hint = "" if near is None else f"; did you mean it with {near!r}?"
    return f"{key!r} (argument configuration, or field {field} of the element connection{hint})"


def _nearest(key: str, others: Iterable[str]) -> str | None:
    return next(iter(difflib.get_close_matches(key, list(others), n=1)), None)


def advise_on_refusal(elements: ElementsApi, spec: InstanceSpec, error: CloudElementsError) -> None:
    """Add to the error of a refused create without a code what was wrong: element, login, or no code.

    :param elements: The account's elements; up to two calls.
    :param spec: The instance.
    :param error: The platform's refusal.
    :raises CloudElementsNotFoundError: There is no such element. The error names the nearest one.
    """
    if error.provider_message is not None:
        error.advise(
            "Look at what the element connection and configuration give for the login: the vendor refuses it."
        )
        return
    if not isinstance(error, CloudElementsNotFoundError | CloudElementsValidationError):
        return
    element = check_element(elements, spec.element)
    oauth = element is not None and (element.authentication or "").lower().startswith("oauth2")
    if oauth and not spec.configuration.get(REFRESH_TOKEN):
        error.advise(
            f"No instance was found by instance_key {spec.key!r}, and a new one of this element needs a "
            "person's consent: give the code that CloudElementsGetOAuthUrlOperator's link brings as "
            "authorization_code, or a refresh token (field 'oauth_user_refresh_token' of the element "
            "connection)."
        )


def check_element(
    elements: ElementsApi,
    key: str,
    more: str = "",
    given: str = "argument element, or field element of the element connection",
) -> Element | None:
    """Check that an element exists with which something was not found.

    :param elements: The account's elements.
    :param key: The element's key.
    :param more: What else the error says.
    :param given: Where the key was given.
    :return: The element; ``None`` if it could not be read.
    :raises CloudElementsNotFoundError: There is no such element. The error names the nearest one.
    """
    missing: CloudElementsError | None = None
    try:
        return elements.get(key)
    except CloudElementsNotFoundError as error:
        missing = error
    except CloudElementsError as error:
        log.warning("The element could not be read: %s", error)
    if missing is None:
        return None
    try:
        near = _nearest(key, elements.keys())
    except CloudElementsError as error:
        log.warning("The catalogue's keys could not be read: %s", error)
        near = None
    hint = "" if near is None else f" Did you mean {near!r}?"
    raise CloudElementsNotFoundError(
        f"There is no element {key!r} ({given}).{hint}" + (f" {more}" if more else ""),
        status=missing.status,
        request_id=missing.request_id,
        method=missing.method,
        path=missing.path,
    )
