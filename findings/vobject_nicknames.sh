#!/usr/bin/env bash
# vobject 0.9.9: a vCard, read and written again.
# Guess: CATEGORIES with an escaped comma and ORG with an escaped semicolon come back as they were.
# Seen: they do. But of NICKNAME, which is such a list too, only the first is left, and in an extended property it escapes the semicolons
# that separate. (Of these two we had written down no guess.)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/python -m pip install -qq --disable-pip-version-check vobject==0.9.9
bin/python - <<'PY'
import vobject


def seen(what, found, recorded):
    """Print what was found. Compare texts, as Python takes 1, 1.0 and True for equal."""
    print(f"{what}: {found!r}")
    if repr(found) != repr(recorded):
        raise SystemExit(f"CHANGED. {what}: we recorded {recorded!r}")


def written_again(line):
    lines = ["BEGIN:VCARD", "VERSION:3.0", "FN:Example", "N:Example;;;;", line, "END:VCARD", ""]
    name = line.partition(":")[0]
    again = vobject.readOne("\r\n".join(lines)).serialize()
    return next(each for each in again.splitlines() if each.startswith(f"{name}:"))


seen("categories", written_again(r"CATEGORIES:A\, B,C"), r"CATEGORIES:A\, B,C")
seen("organization", written_again(r"ORG:A\;B;Sales"), r"ORG:A\;B;Sales")
seen("nicknames", written_again("NICKNAME:Al,Bert"), "NICKNAME:Al")
seen("nicknames with a comma", written_again(r"NICKNAME:A\, B,C"), r"NICKNAME:A\, B")
seen("an extended property", written_again(r"X-EXAMPLE:A\;B;C"), r"X-EXAMPLE:A\;B\;C")
PY
