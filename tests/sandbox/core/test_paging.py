"""Pages of many rows cost as much as their own rows."""

from collections.abc import Sequence

import pytest

from airflow_provider_cloudelements.sandbox.core import web
from airflow_provider_cloudelements.sandbox.core.paging import NEXT_PAGE_HEADER, cut_page
from airflow_provider_cloudelements.sandbox.elements.catalogue import ELEMENTS
from airflow_provider_cloudelements.sandbox.settings import Behaviour


class Counting(Sequence):
    """Rows that count how many of them anybody looks at."""

    def __init__(self, rows):
        self.rows, self.looks = rows, 0

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, place):
        found = self.rows[place]
        self.looks += len(found) if isinstance(place, slice) else 1
        return found


def page(rows, token, descending):
    query = [("pageSize", "50"), *([("nextPage", token)] if token else [])]
    call = web.Call(None, "GET", ["instances"], query, {}, b"", "r", "t")
    return cut_page(call, Behaviour(), rows, lambda row: row, descending=descending)


@pytest.mark.parametrize("descending", [False, True])
def test_each_page_looks_at_its_own_rows(descending):
    rows = Counting(list(range(7, 20_007)))
    seen, token = [], None
    while True:
        rows.looks = 0
        found, headers = page(rows, token, descending)
        # A binary search among 20,000 takes fifteen looks.
        assert rows.looks <= 50 + 16
        seen += found
        token = headers.get(NEXT_PAGE_HEADER)
        if token is None:
            break
    assert seen == sorted(rows.rows, reverse=descending)


@pytest.mark.parametrize("descending", [False, True])
def test_a_page_goes_on_where_its_row_was_removed(descending):
    rows = list(range(100))
    found, headers = page(rows, None, descending)
    rows.remove(found[-1])
    rest, end = page(rows, headers[NEXT_PAGE_HEADER], descending)
    assert sorted(found + rest) == list(range(100))
    assert NEXT_PAGE_HEADER not in end


def test_the_catalogue_is_in_the_order_of_its_pages():
    assert [element.id for element in ELEMENTS] == sorted(element.id for element in ELEMENTS)
