"""How one server behaves: every way in which it may differ from the plainest reading of its document."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Options:
    """As they stand here, a server is well: this is what it turns to when its trouble is over."""

    # Lists
    cap: int = 0  # records on a page at most, whatever is asked for; 0: as documented
    total: str = "true"  # true, missing, high, low, million, changing, left, of-page, text
    envelope: str = ""  # '' : as documented
    links: str = ""  # next, cursor, has_more, header, odata
    links_only: bool = False  # the parameters of paging are not heard: pages follow each other by their links alone
    empty: str = "list"  # how nothing is told: list, 204, null, body, object, null-list, 404
    paging: str = ""  # all, first, endless-new, endless-empty, endless-same
    repeats: int = 0  # records of the page before that come once more
    edits: tuple[str, ...] = ()  # what somebody does to the books between two pages
    edited_pages: tuple[int, ...] = (2,)  # before which pages of a pass
    closed: int = 0  # the status for the lists of every other parent
    has_hidden: bool = False  # records that a list leaves out unless its document's filter asks for them
    large_page: int = 0  # pages of more records than this end in 504

    # Bodies
    charset: str = ""
    has_mark: bool = False  # a byte order mark
    packing: str = ""  # gzip, deflate, raw-deflate, wrong-gzip, empty, identity, utf-8
    content_type: str = ""
    status: int = 200  # of lists
    is_chunked: bool = False
    text: str = ""  # nul, half, reversed, controls, astral
    numbers: str = ""  # long, huge, tiny, fine
    ids: str = ""  # mixed, text, big, odd, long, case, zeros
    has_capitals: bool = False  # names of fields begin with one
    bad_record: str = ""  # null, missing, object, no-object
    elements: str = ""  # repeated elements: two, one-of-two, nested

    # Trouble
    trouble: tuple[str, ...] = ()  # answers of the API that come instead, call by call; '' : the right one
    waits: tuple[
        tuple[str, int], ...
    ] = ()  # (unit, status): times that somebody is asked to wait for, one after the other
    wait_seconds: float = 40.0

    # Tokens
    life: float = 0.0  # seconds that a token lives; 0: as documented
    uses: int = 0  # calls that a token is good for
    expires: str = ""  # text, zero, absent, fraction, null, negative, words
    late: int = 0  # calls that a new token is refused for
    late_tokens: int = 0  # only the first so many; 0: every one
    late_seconds: float = 0.0
    rotation: str = ""  # always, never; '' : as documented
    token_trouble: tuple[str, ...] = ()  # answers of the token endpoint that come instead; '' : the right one
    token_kind: str = "Bearer"
    token_packing: str = ""  # the same as for lists: mark, gzip, html

    def merged(self, other: dict[str, Any]) -> Options:
        """Both; what comes one after the other goes on after a right answer in between."""
        joined = dict(other)
        for name in IN_TURN:
            before, after = getattr(self, name), other.get(name, ())
            if before and after:
                joined[name] = (*before, *after) if name == "waits" else (*before, "", *after)
        return replace(self, **joined)


IN_TURN = ("trouble", "waits", "token_trouble")
