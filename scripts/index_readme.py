"""
Hatch's hook that makes the README of the wheel: its links and pictures get whole addresses.

The page of a package index shows the README alone, where a relative link leads nowhere. The addresses begin
with ``Source`` of ``[project.urls]``, the one place that says where the project is hosted.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

#: A link or a picture of Markdown whose target is a path.
_RELATIVE = re.compile(r"(!?)(\[[^\[\]]*\]\()(?![a-z]+:|#)")


def with_addresses(text: str, source: str) -> str:
    """
    Return a page of Markdown whose relative links and pictures have whole addresses.

    :param text: the page
    :param source: address of the repository, in which the page lies at the top
    """
    return _RELATIVE.sub(
        lambda found: f"{found[1]}{found[2]}{source}/{'raw' if found[1] else 'blob'}/main/", text
    )


class IndexReadme(MetadataHookInterface):
    """The hook that hatchling calls for each build."""

    def update(self, metadata: dict[str, Any]) -> None:
        """
        Set the readme.

        :param metadata: the table ``[project]``
        """
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {
            "content-type": "text/markdown",
            "text": with_addresses(text, metadata["urls"]["Source"]),
        }
