"""Whether this worker was asked to stop: said once in the parent process, known at once in every child of its pool."""

from __future__ import annotations

import mmap

# Shared with the children, which are forked after this module was loaded. Celery tells them nothing of a SIGTERM.
_page = mmap.mmap(-1, 1)


def ask_to_stop() -> None:
    """May be called by a signal's handler."""
    _page[0] = 1


def is_asked() -> bool:
    return _page[0] == 1


def forget() -> None:
    """For tests, where one process lives on."""
    _page[0] = 0
