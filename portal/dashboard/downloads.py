"""A download that leaves piece by piece, after the page's own transaction is over: nothing is loaded whole."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from uuid import UUID

from connections.exports.models import ExportChunk, ExportFile
from connections.exports.services import OpenFile
from connections.tenancy.scope import person_scope, tenant_scope
from connections.vault.sealing import Unopenable
from portal.members.access import membership_of
from portal.members.models import User
from portal.members.permissions import Action

logger = logging.getLogger(__name__)

# Of one web process at a time. A person whose line is slow holds a thread of eight for as long as the download takes.
MOST_DOWNLOADS = 2
_places = threading.BoundedSemaphore(MOST_DOWNLOADS)


class TooManyDownloads(Exception):
    """Every place is taken: to be tried again later."""


class DownloadEnded(Exception):
    """What is asked for is no longer there, or no longer for this person: the answer ends short of its length."""


class Download:
    """Iterates over a file's bytes. Who downloads is looked up again for every piece: a right that ends, ends it.

    Raises TooManyDownloads, KeyUnavailable. `close` gives the place back; the server calls it, whatever becomes of the answer.
    """

    def __init__(self, file: ExportFile, user: User, tenant_id: UUID) -> None:
        self._is_open = False
        self._file = OpenFile(file)
        self._chunks, self._user, self._tenant_id = file.chunks, user, tenant_id
        if not _places.acquire(blocking=False):
            raise TooManyDownloads
        self._is_open = True
        self._pieces = self._each_piece()

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self._pieces)

    def _each_piece(self) -> Iterator[bytes]:
        for place in range(self._chunks):
            yield self._piece(place)

    def _piece(self, place: int) -> bytes:
        try:
            with person_scope(self._user.pk, savepoint=False):
                if not self._is_open or membership_of(self._user, self._tenant_id, Action.EXPORT) is None:
                    message = "who downloads may do so no longer"
                    raise DownloadEnded(message)
                with tenant_scope(self._tenant_id, savepoint=False):
                    return self._file.piece(place)
        except (Unopenable, ExportChunk.DoesNotExist) as error:
            logger.warning("a download ends early: %s", type(error).__name__)
            message = "the file is gone, or does not open"
            raise DownloadEnded(message) from None

    def close(self) -> None:
        """May be called twice."""
        if self._is_open:
            self._is_open = False
            _places.release()

    def __del__(self) -> None:
        self.close()
