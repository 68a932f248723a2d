"""Sphinx's settings for the documentation site, which ``make docs`` builds (scripts/docs_site.py)."""

from __future__ import annotations

import sys
from pathlib import Path

# The pages are built from a copy of this folder, and the extension lies in it.
sys.path.insert(0, str(Path(__file__).parent / "_ext"))

from airflow_provider_cloudelements import __version__

project = "airflow-provider-cloudelements"
version = release = __version__
language = "en"
# The licence of the project; no year, which would make each build different.
copyright = "the authors; Apache License 2.0"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_copybutton", "public_reference"]
root_doc = "index"
exclude_patterns = ["_ext", "recipes"]

# Pages are Markdown as GitHub reads it.
myst_enable_extensions = ["strikethrough", "tasklist"]
myst_heading_anchors = 4
# A page may begin with the first line of another file.
suppress_warnings = ["myst.strikethrough"]

html_theme = "furo"
html_title = f"Cloud Elements for Airflow {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
# The search and the table in api.md find more than an alphabetical index, which no page links to.
html_use_index = False
html_domain_indices = False
pygments_style = "friendly"
pygments_dark_style = "monokai"
# Only what is typed is copied, not the prompt before it.
copybutton_prompt_text = r"\$ |>>> "
copybutton_prompt_is_regexp = True

# What a name needs stands in the docstring of its class, with types from the signature.
autoclass_content = "class"
autodoc_class_signature = "mixed"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
autodoc_inherit_docstrings = False
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
add_module_names = False
# A reference to nothing is an error. The extension says which references of the code count.
nitpicky = True
