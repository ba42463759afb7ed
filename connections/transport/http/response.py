"""HTTP responses whose head has a bounded size and whose end is certain."""

from __future__ import annotations

import http.client
import re
from typing import Any

from connections.transport.http.errors import NoAnswer, NotReadable, TooLarge

MOST_HEAD_BYTES = 32 * 1024  # bytes of status line and headers, interim answers counted in
MOST_LINES = 100
LENGTH = re.compile(r"[0-9]{1,18}")


class BoundedHead:
    """The lines of a head, until there are too many."""

    def __init__(self, source: Any) -> None:
        self.source = source
        self._bytes = self._lines = 0

    def readline(self, limit: int) -> bytes:
        """Raises TooLarge, and NoAnswer where it is cut: http.client would take what came for the whole."""
        line: bytes = self.source.readline(min(limit, MOST_HEAD_BYTES + 1))
        self._bytes += len(line)
        self._lines += 1
        if self._bytes > MOST_HEAD_BYTES or self._lines > MOST_LINES:
            message = "the answer's head is too large"
            raise TooLarge(message)
        if self._bytes and not line.endswith(b"\n"):
            message = "the answer is cut"
            raise NoAnswer(message)
        return line

    def flush(self) -> None:
        self.source.flush()

    def close(self) -> None:
        self.source.close()


class BoundedResponse(http.client.HTTPResponse):
    """A response whose head is bounded and whose end is certain, else the connection is not used again."""

    def begin(self) -> None:
        source: Any = self.fp
        head: Any = BoundedHead(source)
        self.fp = head
        try:
            super().begin()
        finally:
            if self.fp is head:
                self.fp = source
        self._check_frame()

    def _check_frame(self) -> None:
        """Raises NotReadable."""
        lengths = {each.strip() for line in self.msg.get_all("content-length", ()) for each in line.split(",")}
        codings = [line.strip().lower() for line in self.msg.get_all("transfer-encoding", ())]
        is_clear = all(LENGTH.fullmatch(each) for each in lengths) and len(lengths) < 2
        if self.status < 200 or not is_clear or codings not in ([], ["chunked"]):
            message = "the answer is not HTTP as we know it"
            raise NotReadable(message)
        says_body = bool(codings) or lengths - {"0"}
        if (codings and lengths) or (self.status in (204, 304) and says_body):
            self.will_close = True  # what follows might be taken for the next answer
