"""Let a task that is told to end leave no part of a file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from airflow.sdk import BaseOperator

from airflow_provider_cloudelements.exceptions import CloudElementsError
from airflow_provider_cloudelements.operators._parts.whole_file import WholeFile

_F = TypeVar("_F", bound=WholeFile)


class FileWriting(BaseOperator):
    """Base of the operators that write files: they write them in :meth:`writing`.

    Airflow calls :meth:`on_kill` in a signal's handler, then goes on with ``execute``, and kills the process
    five seconds later. So ``execute`` has to end by itself, and not as a success. Airflow makes a copy of the
    operator for each try, so a try finds nothing that an earlier one was told.
    """

    _killed = False
    #: The file that is being written.
    _file: WholeFile | None = None

    def on_kill(self) -> None:
        """Give up the file. ``execute`` fails at its next row, or at its end."""
        self._killed = True
        if self._file is not None:
            self._file.abandon()
        super().on_kill()

    def require_alive(self) -> None:
        """Require that nobody told the task to end.

        :raises CloudElementsError: Somebody did.
        """
        if self._killed:
            raise CloudElementsError("The task was told to end before its work was done.")

    @contextmanager
    def writing(self, file: _F) -> Iterator[_F]:
        """Write a file, unless the task is told to end.

        :param file: The file.
        :raises CloudElementsError: The task was told to end.
        """
        self._file = file
        try:
            with file:
                self.require_alive()
                yield file
        except Exception as error:
            # What fails without its part file, such as the renaming, says nothing.
            if self._killed and not isinstance(error, CloudElementsError):
                self.require_alive()
            raise
        finally:
            self._file = None
