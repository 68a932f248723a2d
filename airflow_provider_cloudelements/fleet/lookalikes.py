"""Find keys that look alike: often one instance that was written in two ways, and then exists twice."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator

from airflow_provider_cloudelements.client.plain import plain_text
from airflow_provider_cloudelements.client.tags import BLANKS
from airflow_provider_cloudelements.fleet.changes import Note
from airflow_provider_cloudelements.fleet.wanted import Wanted

#: Letters of other scripts, in lower case, and the Latin ones that they are taken for, in either case.
_TWINS = str.maketrans(
    "\u0430\u0432\u0435\u043a\u043c\u043d\u043e\u0440\u0441\u0442\u0443\u0445"
    "\u0456\u0458\u0455\u04bb\u0501\u051b\u051d\u0491\u043f\u0433"
    "\u03b1\u03b2\u03b5\u03b6\u03b7\u03b9\u03ba\u03bc\u03bd\u03bf\u03c1\u03c4"
    "\u03c5\u03c7\u03b3"
    "\u0131\u0142\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u2019\u2018`"
    "\u00b4\u201c\u201d",
    "abekmhopctyxijshdqwrnrabezhikmvoptuxyil-------''''\"\"",
)


def look(text: str) -> str:
    """Return the same text for texts that a person takes for each other: case, width, script, kind of dash.

    :param text: The text.
    """
    if not text.isascii():
        plain = BLANKS.sub("", unicodedata.normalize("NFKC", text).casefold().translate(_TWINS))
        text = "".join(char for char in plain if unicodedata.category(char) != "Cf")
    return " ".join(text.casefold().split())


def alike(rows: Iterable[Wanted]) -> Iterator[Note]:
    """Yield a note for each row whose key looks like that of an earlier row.

    :param rows: Rows of different keys.
    """
    seen: dict[str, Wanted] = {}
    for each in rows:
        first = seen.setdefault(look(each.key), each)
        if first is not each:
            # In ASCII, so that letters of another script are seen as such.
            text = (
                f"its key {each.key!a} looks like {first.key!a} of {first.row.place}. They are "
                "two instances. If that is a slip, correct one of the rows."
            )
            yield Note(plain_text(each.key), plain_text(text))
