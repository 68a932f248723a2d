#!/usr/bin/env bash
# ijson 3.6.0: a prefix, which says what items() yields of a large JSON.
# Guess: contact.owner.id is the field id in the object owner, and not a field whose name is "owner.id".
# Seen: it yields both. And "item" is every element of a list as well as a field of the name item, so that of {"rows": {"item": 1}} and
# {"rows": [1]} the prefix rows.item yields the same.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/python -m pip install -qq --disable-pip-version-check ijson==3.6.0
bin/python - <<'PY'
import ijson


def seen(what, found, recorded):
    """Print what was found. Compare texts, as Python takes 1, 1.0 and True for equal."""
    print(f"{what}: {found!r}")
    if repr(found) != repr(recorded):
        raise SystemExit(f"CHANGED. {what}: we recorded {recorded!r}")


def items(text, prefix):
    return list(ijson.items(text.encode(), prefix))


seen("a name with a dot", items('{"contact": {"owner.id": 1, "owner": {"id": 2}}}', "contact.owner.id"), [1, 2])
seen("only that name", items('{"contact": {"owner.id": 1}}', "contact.owner.id"), [1])
seen("a list", items('{"rows": [1]}', "rows.item"), [1])
seen("a field named item", items('{"rows": {"item": 1}}', "rows.item"), [1])
PY
