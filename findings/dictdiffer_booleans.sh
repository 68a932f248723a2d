#!/usr/bin/env bash
# dictdiffer 0.10.0, beside jsonpatch 1.48 and deepdiff 9.1.0: tools to plan the changes between two JSON documents.
# Guess: all three tell that a setting went from 1 to true, or from 0 to false.
# Seen: dictdiffer finds no difference. The two others do. So a plan made with it leaves such a change out.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/python -m pip install -qq --disable-pip-version-check dictdiffer==0.10.0 jsonpatch==1.48 deepdiff==9.1.0
bin/python - <<'PY'
from deepdiff import DeepDiff
from dictdiffer import diff
from jsonpatch import make_patch


def seen(what, found, recorded):
    """Print what was found. Compare texts, as Python takes 1, 1.0 and True for equal."""
    print(f"{what}: {found!r}")
    if repr(found) != repr(recorded):
        raise SystemExit(f"CHANGED. {what}: we recorded {recorded!r}")


for old, new in ((1, True), (0, False)):
    before, after = {"enabled": old}, {"enabled": new}
    seen(f"dictdiffer, {old!r} to {new!r}", list(diff(before, after)), [])
    replaced = [{"op": "replace", "path": "/enabled", "value": new}]
    seen(f"jsonpatch, {old!r} to {new!r}", make_patch(before, after).patch, replaced)
    seen(f"deepdiff, {old!r} to {new!r}", list(DeepDiff(before, after)), ["type_changes"])
seen("dictdiffer, '1' to 1", list(diff({"enabled": "1"}, {"enabled": 1})), [("change", "enabled", ("1", 1))])
PY
