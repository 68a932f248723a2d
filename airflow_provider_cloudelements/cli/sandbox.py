"""``sandbox``: starts the sandbox, or talks to a running one.

The sandbox is a program of its own. It knows nothing of the rest, and the rest knows nothing of it. So this
command becomes that program.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from airflow_provider_cloudelements.cli.frame import Command, PassedOn
from airflow_provider_cloudelements.cli.running import result

if TYPE_CHECKING:
    import argparse


def start(arguments: argparse.Namespace) -> None:
    """Replace this process by the sandbox's program, which reads the other words."""
    program = [sys.executable, "-m", "airflow_provider_cloudelements.sandbox", *arguments.words]
    os.dup2(result().fileno(), 1)
    os.execv(sys.executable, program)  # noqa: S606  no shell, and the words are a person's own


COMMANDS = (
    Command(
        "sandbox",
        "Start a local Cloud Elements for tests; with code or emit as next word, talk to the running one",
        start,
        (PassedOn("words"),),
    ),
)
