"""Decide what may be shown, and keep everything else out of texts.

One policy for rendered fields, errors, logs, ``repr``, Airflow's masker and links: shown is what is known to
be harmless. Elements name their own configuration keys, so nobody knows all secret ones (unknown U164): the
value of every other key is hidden.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

from airflow_provider_cloudelements.client.wire.disguise import places
from airflow_provider_cloudelements.keys import holds_asterisks

ASTERISKS = "***"

#: Words that make a key's value a credential. The platform itself masks password, oauth.api.key and
#: oauth.api.secret on reading (fact F169); the rest comes from elements' own keys and the signature key.
_SECRET_WORDS = re.compile(
    r"passw|passphrase|passcode|pwd|secret|token|credential|cookie|jwt|certificate|authorization"
    r"|bearer|assertion|keystore|(?<![a-z])(hmac|otp|pfx|session)(?![a-z])"
    r"|(api|app|account|access|client|consumer|encryption|license|private|shared|signature|subscription)[._-]?key"
    r"|\b(signature|code)$|(^|[._-])(pass|pin|sas|hash)$|[a-z0-9][._-]key$",
    re.IGNORECASE,
)
#: The same in camel case, where only capitals show a word's beginning.
_SECRET_CAMELS = re.compile(r"[a-z0-9](Key|Pass|Pin|Hash|Hmac|Otp|Pfx|Session)(?![a-z])|^session[A-Z]")
# Keys that contain such a word, but whose values are no credentials.
_NOT_SECRET = re.compile(r"(url|interval|type|enabled|expir\w*)$", re.IGNORECASE)

#: Configuration keys, parameters of a consent link and fields of the platform's own objects whose values are
#: known to be harmless (facts F121, F201 to F210), in lower case.
_SHOWN_KEYS = frozenset(
    {
        "authentication.type",
        "callbackurl",
        "event.metadata",
        "event.notification.callback.url",
        "event.notification.enabled",
        "event.notification.instance.finder",
        "event.notification.subscription.id",
        "event.notification.type",
        "event.objects",
        "event.poller.configuration",
        "event.poller.refresh_interval",
        "event.poller.urls",
        "event.vendor.type",
        "filter.response.nulls",
        "oauth.callback.url",
        "oauth.scope",
        "oauth.user.refresh_interval",
        "oauthproxyname",
        "scope",
        "siteaddress",
        "state",
    }
)
#: Last words of an element's own keys that name a place or a kind: where the vendor's server is, which
#: version.
_SHOWN_WORDS = re.compile(
    r"(^|[._-])(domain|subdomain|host|site|site[._-]?address|shop|tenant|region|environment|version|scopes?"
    r"|enabled|interval|type)$",
    re.IGNORECASE,
)
#: Fields of what the platform polls at a vendor (fact F210), inside ``event.poller.configuration``.
_SHOWN_POLLER_FIELDS = frozenset(
    {
        "url",
        "idField",
        "filterByUpdatedDate",
        "updatedDateField",
        "updatedDateFormat",
        "updatedDateTimezone",
        "createdDateField",
        "createdDateFormat",
        "createdDateTimezone",
        "createdCheckTolerance",
        "pageSize",
        "pollDelay",
    }
)
#: Fields of a body that are secret as a whole: the result of a vendor's login, and a row that may be a
#: password's.
_WHOLLY_SECRET = ("providerData", "propertyValue")
#: The field below which keys are an element's own.
_CONFIGURATION = "configuration"
#: Words that give nothing away, whatever their key.
_PLAIN_WORDS = frozenset({"", "true", "false", "null", "none", "yes", "no", "on", "off"})
#: Shortest value under an unknown key that is taken out of texts: shorter ones stand in every message, and
#: Airflow does not mask them either.
_SHORTEST = 4

#: Characters that an encoded character may take, with some to spare: ``%255Cu0041`` are ten.
_WIDEST = 16

#: What an address may hide: a login, with or without a scheme before it, and the values of its query and
#: fragment. A password may hold an "@"; and a "/", if a ":" stands before it that begins no port. A login
#: without a ":" may hold a "/" if what stands before that is no host's name: it has no dot.
_URL_LOGIN = re.compile(
    r"(?:(?<=//)|(?<!\S)(?=[^/?#\s@]*:))[^/?#\s]+(?=@)"
    r"|(?:(?<=//)|(?<!\S))[^/?#\s@:]*:(?!//|[0-9]{1,5}(?:[/?#\s]|$))[^?#\s]+(?=@)"
    r"|(?<=//)(?!localhost/)[^/?#\s@:.]+/[^?#\s]+(?=@)"
)
# What separates the parts may be quoted, also twice, as where a path holds another address. A space or a "|"
# is part of a value (``access_token=1234|secret``), unless another address follows: scopes and poller URLs
# are separated so.
_EQUALS = r"(?:=|%(?:25)*3[Dd])"
_URL_VALUES = re.compile(
    rf"([?&#]|%(?:25)*(?:3[Ff]|26|23))([^=&#\s|%]*{_EQUALS})?((?:[^&#\s|]|[|](?!/|https?:)|\s(?!\w+://))+)"
)
#: A parameter within the path, such as ``;jsessionid=...``. Its value may hold a "/". Only what is an address
#: for sure has parameters without a name.
_SEMICOLON = r"(;|%(?:25)*3[Bb])"
_URL_PARAMETERS = re.compile(rf"{_SEMICOLON}([^=;/?&#\s|%]*{_EQUALS})?([^?#\s|]+)")
_PARAMETERS = re.compile(rf"{_SEMICOLON}([^=;/?&#\s|%]+{_EQUALS})([^?#\s|]+)")
#: How an object or a list begins, if it is JSON or nearly so, such as a Python dictionary that was rendered.
_LIKE_JSON = re.compile(r"""\s*(\{|\[\s*["'{\[])""")


@lru_cache(maxsize=1024)
def is_secret_key(key: str) -> bool:
    """Say whether a key names a credential. Where values are shown, :func:`is_shown_key` decides."""
    return _has_secret_word(key) and not _NOT_SECRET.search(key)


def is_shown_key(key: str) -> bool:
    """Say whether the value of a configuration key, or of a consent link's parameter, may be shown.

    :param key: The key.
    :return: Whether its value is known to be no secret.
    """
    if key.lower() in _SHOWN_KEYS:
        return True
    return bool(_SHOWN_WORDS.search(key)) and not _has_secret_word(key)


def _has_secret_word(key: str) -> bool:
    return bool(_SECRET_WORDS.search(key) or _SECRET_CAMELS.search(key))


def asterisk_keys(values: Mapping[str, Any]) -> list[str]:
    """Return the keys whose value, or a value inside it, consists of asterisks alone.

    One or two asterisks under a key that names no credential are a wildcard.

    :param values: Configuration keys and values, or the result of a login.
    """
    return [
        str(key)
        for key, value in values.items()
        if holds_asterisks(value, least=1 if is_secret_key(str(key)) else len(ASTERISKS))
    ]


def shown(values: Any, *, hide_all: bool = False) -> Any:
    """Return configuration, or parameters of a consent link, with asterisks for what may not be shown.

    :param values: Keys and values. Anything but a mapping is malformed, and may hold anything.
    :param hide_all: Whether all values are secret, whatever their keys.
    """
    if not isinstance(values, Mapping):
        return values if values in (None, "") else ASTERISKS
    return {key: _shown_value(str(key), value, hide=hide_all) for key, value in values.items()}


def shown_text(text: str) -> str:
    """Return a harmless text, with asterisks for the parts of an address in it that may be secret.

    Those are its login, the values of its query and fragment, and of parameters in its path.

    :param text: A text that may be shown, such as a callback URL.
    """
    visible = _URL_LOGIN.sub(ASTERISKS, text)
    for pattern in _value_patterns(text):
        visible = pattern.sub(lambda found: f"{found[1]}{found[2] or ''}{ASTERISKS}", visible)
    return visible


def url_secrets(text: str) -> Iterator[str]:
    """Yield the parts of an address that :func:`shown_text` hides, as they stand there and unquoted.

    :param text: A text that may be an address.
    """
    found = [each for login in _URL_LOGIN.findall(text) for each in login.split(":")]
    found += [value for pattern in _value_patterns(text) for _, _, value in pattern.findall(text)]
    for each in found:
        if len(each) >= _SHORTEST and _tells(each):
            yield from dict.fromkeys((each, unquote(each)))


def _value_patterns(text: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Return what finds the values of the query, and those of parameters in the path, with their names."""
    return _URL_VALUES, _URL_PARAMETERS if "//" in text or text.startswith("/") else _PARAMETERS


def secret_values(body: Any, *, inside: bool = False, configuration: bool = False) -> Iterator[str]:
    """Yield everything in a request's body or query that may not be shown.

    ``providerData`` and ``propertyValue`` are secret as a whole. Below ``configuration`` every value is,
    unless it is known to be harmless. Elsewhere are the platform's own fields or a vendor's records, whose
    secrets their keys name.

    :param body: The body or query.
    :param inside: Whether everything below is secret.
    :param configuration: Whether the body itself is a configuration, or the parameters of a consent link.
    """
    if isinstance(body, Mapping):
        for key, value in body.items():
            yield from _secrets_of(str(key), value, inside=inside, configuration=configuration)
    elif isinstance(body, list | tuple):
        for value in body:
            yield from secret_values(value, inside=inside, configuration=configuration)
    elif inside and _tells(body):
        yield str(body)


def redact(text: str, secrets: Iterable[str], most: int | None = None) -> str:
    """Remove secrets from a text, as they are and as a URL, JSON, HTML, base64 or digits write them.

    :param text: A message from elsewhere.
    :param secrets: The values to remove.
    :param most: How many characters of the text are needed at the most. Default: all.
    """
    values = {secret for secret in secrets if secret}
    end = len(text) if most is None else min(len(text), most)
    # A secret that begins before the end is found only as a whole.
    read = text[: end + _WIDEST * max(map(len, values), default=0)]
    kept, done = [], 0
    # All places are found before any is replaced: a short secret could be found in the asterisks of a longer
    # one.
    for start, stop in sorted(places(read, values)):
        if start >= end:
            break
        if start >= done:
            kept += [text[done:start], ASTERISKS]
        done = max(done, stop)
    return "".join((*kept, text[done:end]))


def one_line(text: str) -> str:
    """Turn a foreign text into one line that cannot steer a terminal.

    :param text: A message of the server, or a name that people gave.
    """
    return "".join(char if char.isprintable() else "?" for char in " ".join(text.split()))


def _shown_value(key: str, value: Any, *, hide: bool) -> Any:
    """Return a value as it may be shown under its key."""
    return _hidden(value) if hide or not is_shown_key(key) else _shown_below(value)


def _shown_below(value: Any) -> Any:
    """Return the value of a harmless key as it may be shown, keys further down judged by their own names."""
    if isinstance(value, Mapping):
        return {
            key: _shown_below(each) if _known_below(str(key), each) else _hidden(each)
            for key, each in value.items()
        }
    if isinstance(value, list | tuple):
        return [_shown_below(each) for each in value]
    if not isinstance(value, str):
        return value if isinstance(value, bool | int | float | None) else ASTERISKS
    if (inner := _json_object(value)) is not None:
        return json.dumps(_shown_below(inner))
    return ASTERISKS if _LIKE_JSON.match(value) else shown_text(value)


def _known_below(key: str, value: Any) -> bool:
    """Say whether a value inside a harmless one is a resource by its name, or a known field."""
    return key in _SHOWN_POLLER_FIELDS or (isinstance(value, Mapping) and not is_secret_key(key))


def _json_object(text: str) -> Any | None:
    """Return what a text holds as JSON, if that is an object or a list."""
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _hidden(value: Any) -> Any:
    """Return a value with asterisks for all that tells something; keys, sizes and plain words stay."""
    if isinstance(value, Mapping):
        return {key: _hidden(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_hidden(each) for each in value]
    return ASTERISKS if _tells(value) or not isinstance(value, str | bool | None) else value


def _tells(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return False
    return str(value).strip().lower() not in _PLAIN_WORDS


def _secrets_of(key: str, value: Any, *, inside: bool, configuration: bool) -> Iterator[str]:
    """Yield what may not be shown of the value of one key."""
    if inside or key in _WHOLLY_SECRET or is_secret_key(key):
        yield from secret_values(value, inside=True)
    elif not configuration:
        yield from secret_values(value, configuration=key == _CONFIGURATION)
    elif is_shown_key(key):
        yield from _unshown_below(value)
    else:
        yield from (each for each in secret_values(value, inside=True) if len(each) >= _SHORTEST)


def _unshown_below(value: Any) -> Iterator[str]:
    """Yield what :func:`_shown_below` leaves out."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            known = _known_below(str(key), each)
            yield from _unshown_below(each) if known else secret_values(each, inside=True)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _unshown_below(each)
    elif isinstance(value, str):
        if (inner := _json_object(value)) is not None:
            yield from _unshown_below(inner)
        elif _LIKE_JSON.match(value):
            yield value
        else:
            yield from url_secrets(value)
