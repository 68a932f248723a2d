"""The Authorization header: its words, and which call needs which (facts F3 to F9)."""

from __future__ import annotations

import hmac
from enum import Enum
from typing import Protocol, TypeVar

from airflow_provider_cloudelements.sandbox.core.errors import ApiError, unauthorized
from airflow_provider_cloudelements.sandbox.settings import Settings

USER, ORGANIZATION, ELEMENT, BEARER = "User", "Organization", "Element", "Bearer"


class Access(Enum):
    """Which words of Authorization a call takes."""

    #: User and Organization; the sandbox ignores an Element token beside them (facts F6, F9).
    PLATFORM = "platform"
    #: All three: the id-less twins, which act on the token's instance (fact F8).
    TOKEN = "token"  # noqa: S105 - a name
    #: User and Element; Organization may be there: the calls to the vendor (facts F7, F328).
    RESOURCE = "resource"
    #: As RESOURCE, but open to a disabled instance: GET /objects (fact F187).
    DISCOVERY = "discovery"
    #: A platform call without an Element token and a resource call with one: GET /accounts (fact F9).
    EITHER = "either"
    #: None needed (fact F125); words that are there must be right (choice C121): oauth/url.
    OPTIONAL = "optional"
    #: The sandbox checks none.
    PUBLIC = "public"
    #: The sandbox checks neither these words nor the Accept header: vendors' events (fact F213).
    VENDOR = "vendor"


def parse_words(header: str) -> dict[str, str]:
    """Return the words of an Authorization header, in any order (fact F4), and their values.

    It splits pairs at commas, and each pair at its first space only, since secrets contain ``/ + =``. Words
    are case-sensitive. If a word occurs twice, the last one counts (choice C1; unknown U1).

    :param header: the header's value.
    """
    words: dict[str, str] = {}
    for pair in header.split(","):
        word, _, value = pair.strip().partition(" ")
        if word:
            words[word] = value.strip()
    return words


def same(given: str | None, expected: str) -> bool:
    """Compare two secrets in constant time.

    :param given: what the caller sent, or None.
    :param expected: the right value.
    """
    return given is not None and hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())


class Switched(Protocol):
    """The thing that an Element token stands for: an instance."""

    disabled: bool


InstanceT_co = TypeVar("InstanceT_co", bound=Switched, covariant=True)


class Tokens(Protocol[InstanceT_co]):
    """A store that knows the issued tokens."""

    def by_token(self, token: str) -> InstanceT_co | None:
        """Return the instance of an Element token."""

    def has_bearer(self, token: str) -> bool:
        """Return whether the platform issued a bearer token."""


def authorize(
    access: Access, words: dict[str, str], settings: Settings, store: Tokens[InstanceT_co]
) -> InstanceT_co | None:
    """Check a call's words, and raise 401 or 403 if they do not let it in.

    :param access: what the call takes.
    :param words: the header's words.
    :param settings: the right secrets.
    :param store: the store of the tokens.
    :returns: the instance of the Element token, if the call uses it.
    """
    if access in (Access.PUBLIC, Access.VENDOR):
        return None
    if BEARER in words and access in (Access.PLATFORM, Access.OPTIONAL, Access.EITHER):
        if not store.has_bearer(words[BEARER]):
            raise unauthorized()
        return None
    if access is Access.OPTIONAL:
        if USER in words and not same(words[USER], settings.user_secret):
            raise unauthorized()
        if ORGANIZATION in words and not same(words[ORGANIZATION], settings.organization_secret):
            raise unauthorized()
        return None
    by_token = access not in (Access.PLATFORM, Access.EITHER) or (
        access is Access.EITHER and ELEMENT in words
    )
    needs_organization = access is Access.TOKEN or not by_token
    if not same(words.get(USER), settings.user_secret):
        raise unauthorized()
    if (needs_organization or ORGANIZATION in words) and not same(
        words.get(ORGANIZATION), settings.organization_secret
    ):
        raise unauthorized()
    if not by_token:
        return None
    instance = store.by_token(words.get(ELEMENT, ""))
    if instance is None:
        raise unauthorized()
    if instance.disabled and access not in (Access.TOKEN, Access.DISCOVERY):
        raise ApiError(403, "The element instance is disabled")
    return instance
