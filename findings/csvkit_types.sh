#!/usr/bin/env bash
# csvkit 2.2.0 (with agate 1.14.2): the types that csvjson gives the columns of a CSV. Its other commands read in the same way.
# Guess: a column of 0 and 1 is numbers; names of months stay text, and so do 3 d and 12:30.
# Seen: 0 and 1 become false and true; May becomes 1 May of the year 1, and Mon a day of that year's January; 3 d three days, 12:30
# twelve minutes and a half; NA (as for Namibia) becomes null, also in a column of text. 0012 becomes 12. With -I and --blanks all
# values stay as they are.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/python -m pip install -qq --disable-pip-version-check csvkit==2.2.0 agate==1.14.2
bin/python - <<'PY'
import json
import subprocess


def seen(what, found, recorded):
    """Print what was found. Compare texts, as Python takes 1, 1.0 and True for equal."""
    print(f"{what}: {found!r}")
    if repr(found) != repr(recorded):
        raise SystemExit(f"CHANGED. {what}: we recorded {recorded!r}")


def read(values, *arguments):
    text = "value,other\n" + "".join(f"{value},x\n" for value in values)
    done = subprocess.run(["bin/csvjson", *arguments], input=text, capture_output=True, text=True, check=True)
    return [row["value"] for row in json.loads(done.stdout)]


for values, recorded in (
    (["0", "1"], [False, True]),
    (["May", "June"], ["0001-05-01", "0001-06-01"]),
    (["Mon", "Tue"], ["0001-01-08", "0001-01-02"]),
    (["3 d", "5 d"], ["3 days, 0:00:00", "5 days, 0:00:00"]),
    (["12:30", "13:00"], ["0:12:30", "0:13:00"]),
    (["NA", "DE"], [None, "DE"]),
    (["0012", "0013"], [12.0, 13.0]),
    (["room 5", "room 6"], ["room 5", "room 6"]),
):
    seen(f"{values}", read(values), recorded)
    seen(f"{values} with -I --blanks", read(values, "-I", "--blanks"), values)
PY
