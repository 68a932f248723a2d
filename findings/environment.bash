# For each script here to read: `. environment.bash PACKAGE==VERSION...` makes a Python environment with these packages in
# a temporary folder, which goes when the script ends. Then `observe` runs the Python code of its standard input there.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install -qq --disable-pip-version-check "$@"
cd "$folder"

# Compare texts, as Python takes 1, 1.0 and True for equal.
prelude='
def seen(what, found, recorded):
    """Print what was found; end with an error if it is not what we recorded."""
    print(f"{what}: {found!r}")
    if repr(found) != repr(recorded):
        raise SystemExit(f"CHANGED. {what}: we recorded {recorded!r}")
'

observe() {
  "$folder/venv/bin/python" -c "$prelude
$(cat)"
}
