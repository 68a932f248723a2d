"""Recognise an instance again: by the tags of its identity, and by a fingerprint of what authenticated it.

The platform has neither an idempotency key nor unique names (fact F162), and shows secrets as asterisks.
Tags are the one thing that it keeps for us, searches by, and shows as written.

An identity is the pair of the connection's namespace and the instance key. Two tags hold it:

- the **marker** ``airflow:`` is what a look-up asks the platform for. Different pairs can share it
  (namespace ``a`` with key ``b/c``, and no namespace with key ``a/b/c``).
- the **key tag** ``airflow-key:`` is different for different pairs. It says which of the instances with the
  marker are those of the pair. It begins like the marker's hash, so an instance can carry the tags of two
  keys: a person who renames a key adds the new key's marker.

An instance with a marker and without a key tag of that marker is from before there were key tags, or a person
marked it.
The marker alone then decides, and the next write adds the key tag.

A third tag, ``airflow-namespace:``, stands on the instances that a manifest manages. It shows from which
namespace, also when no row names them any more: a key that nobody knows cannot be found in a hash.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from airflow_provider_cloudelements.client.frozen import lazy
from airflow_provider_cloudelements.connections import ConnectionSettings
from airflow_provider_cloudelements.exceptions import CloudElementsValidationError

MARKER_PREFIX = "airflow:"
KEY_PREFIX = "airflow-key:"
FINGERPRINT_PREFIX = "airflow-auth:"
ORIGIN_PREFIX = "airflow-run:"
NAMESPACE_PREFIX = "airflow-namespace:"
#: Characters that show nothing although Python takes them for printable: joiners, fillers, selectors.
BLANKS = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
#: White space, and what is as invisible at the ends of a text: a byte order mark, marks of direction,
#: zero-width characters, soft hyphens.
_INVISIBLE = "[\\s\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]"
#: Runs at the ends. Without the look back, the time would grow with the square of a run within the text.
_ENDS = re.compile(f"^{_INVISIBLE}+|(?<!{_INVISIBLE}){_INVISIBLE}+\\Z")
#: Digits at the begin of a key tag that are the first ones of its marker; the others are of the pair.
_OF_MARKER = 8
#: How all of them begin.
_BEGIN = "airflow"
# The whole tag must match, since people may write tags such as "airflow:production".
_OURS = re.compile(
    f"({MARKER_PREFIX}|{KEY_PREFIX}|{ORIGIN_PREFIX}|{NAMESPACE_PREFIX})[0-9a-f]{{20}}"
    # The second alternative is the first form of fingerprints.
    f"|{FINGERPRINT_PREFIX}([0-9a-f]{{8}}([.][0-9a-f]{{22}})*|[0-9a-f]{{6}}([.][0-9a-f]{{14}})*)"
)


@dataclass(frozen=True)
class Identity:
    """Who an instance is: a namespace and a key, in the form that the caller wrote.

    The tags come from the canonical form of both, which ``namespace`` and ``key`` hold as well:
    :func:`canonical_text`.

    :param written_namespace: The connection's namespace, or an empty text.
    :param written_key: The instance key, without the namespace.
    """

    written_namespace: str
    written_key: str

    @classmethod
    def of(cls, settings: ConnectionSettings, key: Any, argument: str = "instance_key") -> Identity:
        """Return the identity that a key has under a connection.

        :param settings: The connection.
        :param key: The instance key, as an argument gives it.
        :param argument: Name of the argument, for the error.
        :raises CloudElementsValidationError: The key is no text, or an empty one: :func:`named_text`.
        """
        return cls(settings.namespace, named_text(argument, key))

    @lazy
    def namespace(self) -> str:
        """The namespace in canonical form."""
        return canonical_text(self.written_namespace)

    @lazy
    def key(self) -> str:
        """The key in canonical form."""
        return canonical_text(self.written_key)

    @lazy
    def marker(self) -> str:
        """The tag by which the platform finds instances of this identity, and perhaps of a few others."""
        return marker_tag(_joined(self.namespace, self.key))

    @lazy
    def key_tag(self) -> str:
        """The tag that only instances of this identity have."""
        of_marker = self.marker.removeprefix(MARKER_PREFIX)[:_OF_MARKER]
        # The length says where the namespace ends, whatever characters the two hold.
        of_pair = _short_hash(f"{len(self.namespace)}:{self.namespace}{self.key}")
        return KEY_PREFIX + of_marker + of_pair[_OF_MARKER:]

    @property
    def tags(self) -> tuple[str, str]:
        """The tags that an instance of this identity must have."""
        return self.marker, self.key_tag

    @lazy
    def former_markers(self) -> tuple[str, ...]:
        """Markers under which an instance may be that was made under a former rule for the canonical form.

        First keys were taken letter by letter; then only white space at their ends did not count. Empty if
        namespace and key are written in canonical form.
        """
        written = (self.written_namespace, self.written_key)
        if written == (self.namespace, self.key):
            return ()
        stripped = tuple(unicodedata.normalize("NFC", each.strip()) for each in written)
        former = dict.fromkeys(marker_tag(_joined(*pair)) for pair in (written, stripped))
        return tuple(marker for marker in former if marker != self.marker)

    def marked(self, tags: Iterable[str]) -> tuple[str, ...]:
        """Return the tags that an instance must have to be recognised by this identity.

        :param tags: Its present tags, which stay, except a former marker.
        """
        kept = (tag for tag in tags if tag not in self.former_markers)
        return tuple(dict.fromkeys([*kept, *self.tags]))


def belongs(tags: Collection[str], markers: Collection[str], key_tag: str | None) -> bool:
    """Return whether an instance with these tags is of an identity.

    :param tags: The instance's tags.
    :param markers: The identity's marker and former markers.
    :param key_tag: The identity's key tag; ``None`` lets the marker alone decide.
    """
    if key_tag is not None:
        if key_tag in tags:
            return True
        if _has_own(tags, key_tag[: len(KEY_PREFIX) + _OF_MARKER]):
            return False  # of another pair, which shares the marker
    return any(marker in tags for marker in markers)


def of_another_key(tags: Collection[str], key_tag: str) -> bool:
    """Return whether an instance with these tags is of another identity, and not of the one with this tag."""
    return key_tag not in tags and _has_own(tags, KEY_PREFIX)


def _has_own(tags: Iterable[str], prefix: str) -> bool:
    return any(tag.startswith(prefix) for tag in own_tags(tags))


def without_ends(text: str) -> str:
    """Return a text without white space at its ends, and without what is as invisible there.

    A byte order mark comes with the first line of a file, and zero-width characters with what people paste.
    """
    return text.strip() if text.isascii() else _ENDS.sub("", text)


def canonical_text(text: str) -> str:
    """Return the form in which namespaces and keys are compared: ends stripped, Unicode form NFC.

    A template's line end, and a name typed on macOS instead of Linux, make no other identity.
    """
    return unicodedata.normalize("NFC", without_ends(text))


def named_text(argument: str, value: Any) -> str:
    """Check and return a text that names something, letter by letter.

    Nothing is turned into text here: what a number was before a template rendered it (1.10 or 1.1) is not
    known.

    :param argument: Name of the argument, for the error.
    :param value: Its value.
    :raises CloudElementsValidationError: The value is no text, or one without a visible character, or
        ``None``, which is what Jinja writes for a missing value.
    """
    if not isinstance(value, str):
        raise CloudElementsValidationError(
            f"{argument} must be a text; it is of type {type(value).__name__}. It is not turned into a text, "
            "because that could name another thing: write it as a string."
        )
    stripped = without_ends(value)
    if not value.strip():
        problem = "is empty"
    # Almost all texts are ASCII and printable as a whole, which takes two calls to find out.
    elif not (value.isascii() and value.isprintable()) and not any(
        map(str.isprintable, BLANKS.sub("", value.replace(" ", "")))
    ):
        problem = "has no visible character"
    elif stripped == "None":
        problem = "is 'None', which Jinja writes for a missing value"
    else:
        return value
    raise CloudElementsValidationError(
        f"{argument} must be a text that names something, but {argument} {problem}. Omit it, or check the "
        "values of its template."
    )


def optional_text(argument: str, value: Any) -> str | None:
    """Check and return a text as :func:`named_text` does; ``None`` if it is not given, or empty.

    :param argument: Name of the argument, for the error.
    :param value: Its value.
    :raises CloudElementsValidationError: As by :func:`named_text`.
    """
    return None if value is None or value == "" else named_text(argument, value)


def element_key(value: Any) -> str | None:
    """Check and return the key of an element with its ends stripped; ``None`` if it is not given, or empty.

    :param value: What the argument ``element`` gives.
    :raises CloudElementsValidationError: As by :func:`named_text`.
    """
    key = optional_text("element", value)
    return None if key is None else without_ends(key)


def marker_tag(instance_key: str) -> str:
    """Return the tag by which a look-up finds the instances of a key.

    :param instance_key: The whole key: with a namespace, ``namespace/key``, both in canonical form. The tag
        holds a hash of it, so that neither length nor markup (which the platform strips from tags) can change
        the tag.
    """
    return MARKER_PREFIX + _short_hash(instance_key)


def origin_tag(origin: str) -> str:
    """Return the tag that records which task instance made an instance, for ``if_exists="fail"``."""
    return ORIGIN_PREFIX + _short_hash(origin)


def namespace_tag(namespace: str) -> str:
    """Return the tag of instances that a manifest manages from a namespace.

    :param namespace: The connection's namespace, or an empty text.
    """
    return NAMESPACE_PREFIX + _short_hash(canonical_text(namespace))


def namespace_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Return the tags that show from which namespaces an instance is managed."""
    return own_tags(tag for tag in tags if tag.startswith(NAMESPACE_PREFIX))


def user_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Return the tags that people set, without this provider's own."""
    return tuple([tag for tag in tags if not (tag.startswith(_BEGIN) and _OURS.fullmatch(tag))])


def own_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Return the tags that are this provider's own."""
    return tuple([tag for tag in tags if tag.startswith(_BEGIN) and _OURS.fullmatch(tag)])


def _joined(namespace: str, key: str) -> str:
    return f"{namespace}/{key}" if namespace else key


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:20]
