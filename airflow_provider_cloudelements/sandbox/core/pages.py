"""The frame of the pages that people see in a browser."""

from __future__ import annotations

from html import escape

from starlette.responses import HTMLResponse

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; background: #f3f4f6; color: #1f2937; margin: 0; }}
main {{ max-width: {width}rem; margin: {margin} auto; background: #fff; padding: 2rem; border-radius: .5rem;
        box-shadow: 0 1px 4px rgba(0, 0, 0, .2); }}
dt {{ font-weight: 600; }} dd {{ margin: 0 0 .75rem; overflow-wrap: anywhere; }}
table {{ border-collapse: collapse; width: 100%; }}
th, td {{ text-align: left; padding: .25rem .75rem .25rem 0; vertical-align: top; overflow-wrap: anywhere;
          border-bottom: 1px solid #e5e7eb; }}
code, pre {{ font: 14px/1.5 ui-monospace, monospace; background: #f3f4f6; }}
pre {{ padding: .75rem; white-space: pre-wrap; overflow-wrap: anywhere; }}
button {{ font: inherit; padding: .5rem 1.5rem; margin-right: .5rem; border-radius: .25rem;
          border: 1px solid #1d4ed8; background: #fff; color: #1d4ed8; cursor: pointer; }}
button[value=allow] {{ background: #1d4ed8; color: #fff; }}
</style>
</head>
<body><main><h1>{title}</h1>{content}</main></body>
</html>
"""


def html_page(title: str, content: str, status: int = 200, *, wide: bool = False) -> HTMLResponse:
    """Return a page.

    :param title: its title, as text.
    :param content: what follows the title, as HTML.
    :param status: the HTTP status.
    :param wide: whether it holds tables; else it is as narrow as a form.
    """
    page = _PAGE.format(
        title=escape(title),
        content=content,
        width=72 if wide else 30,
        margin="2rem" if wide else "10vh",
    )
    headers = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    return HTMLResponse(page, status, headers)


def html_table(head: list[str], rows: list[list[object]]) -> str:
    """Return a table, as HTML.

    :param head: titles of the columns.
    :param rows: the cells, as text.
    """
    titles = "".join(f"<th>{escape(each)}</th>" for each in head)
    lines = ("".join(f"<td>{escape(str(cell))}</td>" for cell in row) for row in rows)
    return f"<table><tr>{titles}</tr>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"
