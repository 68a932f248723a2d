"""Read a person's answer after a consent: the code, or the whole address that the vendor redirected to."""

from __future__ import annotations

import hmac
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

from airflow_provider_cloudelements.exceptions import CloudElementsValidationError

#: Name of the field of a form that takes a person's answer. Airflow takes it for sensitive, because of the
#: word ``authorization``, so its audit log hides the value.
ANSWER_FIELD = "authorization_code"
#: What an answer may look like, as a JSON schema says it: nothing yet, an address with a code or an error,
#: or a code alone. It refuses nothing that :func:`read_consent` takes.
ANSWER_PATTERN = r"^\s*$|[?#&](code|error)=|^\s*(?!\S*://)\S+\s*$"

_QUERY_WITH_CODE = re.compile(r"[?#&]code=")
_ASK_AGAIN = "Ask for consent again, with a new link."


def no_answer(answer: Any) -> bool:
    """Return whether there is no answer: none, an empty one, or ``None``, as Jinja writes a missing one."""
    return answer is None or (isinstance(answer, str) and answer.strip() in ("", "None"))


def read_consent(answer: Any, state: str | None = None) -> str | None:
    """Return the authorization code that an answer holds.

    :param answer: A code as it is, or the address that the vendor sent the person to, with ``code`` and
        ``state`` in its query (fact F127).
    :param state: The state that the consent link was made with. An address must hold the same state, since
        another person's code would connect the instance to that person's account.
    :return: ``None`` if the answer is empty; Jinja writes a missing one as ``None``.
    :raises CloudElementsValidationError: The person refused the consent, the answer belongs to another
        consent, or it holds no code. The error shows nothing of the answer.
    """
    if no_answer(answer):
        return None
    if not isinstance(answer, str):
        raise CloudElementsValidationError(
            f"authorization_code must be a string; it is of type {type(answer).__name__}."
        )
    text = answer.strip()
    if "://" in text or _QUERY_WITH_CODE.search(text):  # a browser may hide the scheme
        return _of_address(text, state)
    if any(char.isspace() for char in text):
        raise CloudElementsValidationError(
            "The authorization code holds white space. Paste the code alone, or the whole address."
        )
    return text


def is_refusal(answer: Any, state: str) -> bool:
    """Return whether an answer is the address of this very consent, with the vendor's error in it.

    :param answer: What a person pasted, or what the page of the callback sent.
    :param state: The state that the consent link was made with.
    """
    values = values_of(answer.strip()) if isinstance(answer, str) else {}
    return "error" in values and _same(values.get("state", ""), state)


def values_of(address: str) -> dict[str, str]:
    """Return what an address holds in its query and fragment; nothing if it is malformed.

    Some vendors put their values after the '#'; the callback may have a query of its own.

    :param address: A consent link, or the address that the vendor sent the person to.
    """
    try:
        parts = urlsplit(address)
        return {name: each[0] for name, each in (parse_qs(parts.fragment) | parse_qs(parts.query)).items()}
    except ValueError:
        return {}


def _same(brought: str, state: str) -> bool:
    # A lone surrogate, which JSON can write, counts as another state: an encoding error would show the state.
    return hmac.compare_digest(*(each.encode("utf-8", "surrogatepass") for each in (brought, state)))


def _of_address(address: str, state: str | None) -> str:
    query = values_of(address)
    if "error" in query:
        raise _final(f"The vendor sent the person back with an error instead of a code. {_ASK_AGAIN}")
    code = query.get("code", "").strip()
    if not code:
        raise _final(
            "The address holds no code. Paste the address that the vendor sent you to after consent."
        )
    if not state:
        raise _final(
            "authorization_code is an address, but there is no state to compare its state with: give the "
            "state that the link was made with as authorization_state, or give the code alone."
        )
    if not _same(query.get("state", ""), state):
        raise _final(f"The address belongs to another consent: its state differs. {_ASK_AGAIN}")
    return code


def _final(message: str) -> CloudElementsValidationError:
    error = CloudElementsValidationError(message)
    error.final = True
    return error
