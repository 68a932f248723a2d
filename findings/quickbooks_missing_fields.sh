#!/usr/bin/env bash
# python-quickbooks 0.9.12: a customer and an item as they were read, and as save() sends them.
# Guess: a field that the answer did not have is not sent.
# Seen: such fields are sent with a value of the library's own: empty texts, the numbers 0 and False, but also Taxable true for a customer
# and Active true. With them goes "sparse": false, which asks for a full update. So to save a changed name also says that.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/python -m pip install -qq --disable-pip-version-check python-quickbooks==0.9.12
bin/python - <<'PY'
import json

from quickbooks.objects.customer import Customer
from quickbooks.objects.item import Item


def seen(what, found, recorded):
    """Print what was found. Compare texts, as Python takes 1, 1.0 and True for equal."""
    print(f"{what}: {found!r}")
    if repr(found) != repr(recorded):
        raise SystemExit(f"CHANGED. {what}: we recorded {recorded!r}")


class Account:
    """Keep what save() would send."""

    def update_object(self, name, body, request_id=None, params=None):
        self.sent = json.loads(body)
        return {name: self.sent}


def added(kind, read):
    """Save an object as it was read, and return the fields that were not in what was read."""
    account = Account()
    kind.from_json(read).save(account)
    return {name: value for name, value in sorted(account.sent.items()) if name not in read}


read = {"Id": "1", "SyncToken": "0", "sparse": False, "domain": "QBO"}
customer = added(Customer, read | {"DisplayName": "A", "Active": True})
seen("Taxable of a customer", customer["Taxable"], True)
seen("Notes of a customer", customer["Notes"], "")
seen("BillWithParent of a customer", customer["BillWithParent"], False)
item = added(Item, read | {"Name": "A", "Type": "Service"})
seen("all that is added to an item", item, {
    "Active": True,
    "Description": "",
    "FullyQualifiedName": "",
    "SubItem": False,
    "Taxable": False,
    "TrackQtyOnHand": False,
    "UnitPrice": 0,
})
PY
