#!/usr/bin/env bash
# airbyte-cdk 7.39.1 (with dpath 2.2.0): field_path and field_pointers of a declarative (low-code) connector.
# Guess: a name with brackets, such as data[items], is found where it is.
# Seen: each name is a pattern of file names. data[items] takes the field datai, if the answer has one, and else nothing: no records,
# no error. To remove the field a[b] removes ab. (Without a guess: a number in the path of an added field makes a list,
# filled with nulls up to that number, where the record has no such object.)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/python -m pip install -qq --disable-pip-version-check airbyte-cdk==7.39.1 dpath==2.2.0
bin/python - <<'PY'
import json

import requests
from airbyte_cdk.sources.declarative.extractors import DpathExtractor
from airbyte_cdk.sources.declarative.transformations.add_fields import AddedFieldDefinition, AddFields
from airbyte_cdk.sources.declarative.transformations.remove_fields import RemoveFields


def seen(what, found, recorded):
    """Print what was found. Compare texts, as Python takes 1, 1.0 and True for equal."""
    print(f"{what}: {found!r}")
    if repr(found) != repr(recorded):
        raise SystemExit(f"CHANGED. {what}: we recorded {recorded!r}")


def extracted(answer, path):
    response = requests.Response()
    response.status_code, response._content = 200, json.dumps(answer).encode()
    return list(DpathExtractor(field_path=path, config={}, parameters={}).extract_records(response))


def transformed(transformation, record):
    transformation.transform(record)
    return record


items, others = [{"id": 1}], [{"id": 2}]
seen("records at items", extracted({"items": items, "datai": others}, ["items"]), [{"id": 1}])
seen("records at data[items]", extracted({"data[items]": items, "datai": others}, ["data[items]"]), [{"id": 2}])
seen("the same without datai", extracted({"data[items]": items}, ["data[items]"]), [])
remove = RemoveFields(field_pointers=[["a[b]"]], parameters={})
seen("a[b] removed", transformed(remove, {"a[b]": 1, "ab": 2, "id": 3}), {"a[b]": 1, "id": 3})
add = AddFields([AddedFieldDefinition(["totals", "3"], "x", None, parameters={})], parameters={})
seen("totals, 3 added", transformed(add, {"id": 1}), {"id": 1, "totals": [None, None, None, "x"]})
seen("totals, 3 added to an object", transformed(add, {"totals": {}}), {"totals": {"3": "x"}})
PY
