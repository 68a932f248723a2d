#!/usr/bin/env bash
# Airflow 3.3.2 (apache-airflow-core), its UI in Debian's chromium: a plugin's external view for the navigation.
# Guess: a view with an address and without a route opens that address, wherever in the navigation it stands.
# Seen: with category "browse" it does. Without a category the UI draws a button element that carries the address as
#   an attribute. No click leads anywhere, and nothing is logged.
# Needs /usr/bin/chromium, or CHROMIUM with another path.
set -euo pipefail
constraints=$(cd "$(dirname "$0")/../constraints" && pwd)/airflow-3.3.2-py311.txt
folder=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/python -m pip install -qq --disable-pip-version-check -c "$constraints" apache-airflow-core==3.3.2 \
    apache-airflow-providers-standard playwright==1.65.2
mkdir plugins
cat > plugins/views.py <<'PY'
from airflow.plugins_manager import AirflowPlugin


class Views(AirflowPlugin):
    name = "views"
    external_views = [
        {"name": "Above", "href": "https://example.com/above", "destination": "nav"},
        {"name": "Below", "href": "https://example.com/below", "destination": "nav", "category": "browse"},
    ]
PY
export AIRFLOW_HOME=$folder AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS=True AIRFLOW__CORE__LOAD_EXAMPLES=False
port=$(bin/python -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
bin/airflow db migrate >migrate.log 2>&1
bin/airflow api-server --host 127.0.0.1 --port "$port" --workers 1 >server.log 2>&1 &
server=$!
bin/python - "$port" <<'PY'
import os
import sys
import time
import urllib.request

from playwright.sync_api import TimeoutError as TooLong
from playwright.sync_api import sync_playwright

address = f"http://127.0.0.1:{sys.argv[1]}"
for _ in range(120):
    try:
        urllib.request.urlopen(f"{address}/api/v2/version", timeout=5)
        break
    except OSError:
        time.sleep(1)


def seen(what, found, recorded):
    """Print what was found, and fail if it is not what we recorded."""
    print(f"{what}: {found!r}")
    if found != recorded:
        raise SystemExit(f"CHANGED. {what}: we recorded {recorded!r}")


def opened(page, entry):
    """Click, and return the address of the tab that opens, if any does."""
    try:
        with page.expect_popup(timeout=5000) as popup:
            entry.click()
    except TooLong:
        return None
    return popup.value.url


with sync_playwright() as playwright:
    browser = playwright.chromium.launch(
        executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=["--no-sandbox"]
    )
    context = browser.new_context()
    # Nothing leaves this machine.
    context.route("https://example.com/**", lambda route: route.fulfill(body="there"))
    page = context.new_page()
    page.goto(address)
    above = page.locator('[aria-label="Above"]')
    above.wait_for(timeout=60000)
    seen("top level, element", above.evaluate("one => one.tagName"), "BUTTON")
    seen("top level, its attribute", above.get_attribute("href"), "https://example.com/above")
    seen("top level, opens", opened(page, above), None)
    seen("top level, stays on the page", page.url.startswith(address), True)
    page.get_by_role("button", name="Browse").click()
    below = page.get_by_role("menuitem", name="Below")
    below.wait_for(timeout=60000)
    seen("under Browse, element", below.evaluate("one => one.tagName"), "A")
    seen("under Browse, opens", opened(page, below), "https://example.com/below")
    browser.close()
PY
