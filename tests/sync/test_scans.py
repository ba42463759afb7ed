"""A list that changes between any two requests, read by each way of paging: no ended scan lacks a record that stood throughout.

Seeded; the server draws its page size, order, totals and changes. What cannot be read whole must end by name.
"""

from __future__ import annotations

import random
from collections import Counter

import pytest

from connections.spec.envelope import Envelope
from connections.spec.paging import SMALLEST_PAGE, AfterId, Numbered, Offset
from connections.spec.scans import Seen
from connections.spec.streams import BadPage

ENVELOPE = Envelope(("results",), total=("meta", "totalCount"))
PAGINGS = {
    "after": AfterId(size=100, envelope=ENVELOPE),
    "number": Numbered(size=100, envelope=Envelope(("results",))),
    "offset": Offset(size=100, envelope=ENVELOPE, order={"sort": "id"}),
}
LENGTHS = (0, 1, 37, 50, 51, 99, 100, 101, 150, 201, 253, 410)


class Server:
    """One list; `change` is what happens between two requests."""

    def __init__(self, chance, paging):
        self.chance, self.paging = chance, paging
        self.rows = [10 * number for number in range(1, chance.choice(LENGTHS) + 1)]
        self.standing, self.newest = set(self.rows), 10**6
        self.holds = chance.choice((10**9, 100, 50, 30, 23))
        self.order = "id" if paging == "after" else chance.choice(("id", "newest", "changed", "any"))
        self.total = chance.choice(("none", "whole", "page"))
        self.churn = chance.choice((0, 0.2, 0.6))
        if self.order == "any":
            chance.shuffle(self.rows)

    def change(self):
        if not self.rows or self.chance.random() >= self.churn:
            return
        for _ in range(self.chance.choice((1, 1, 2, 40))):
            deed = self.chance.choice(("delete", "insert", "touch"))
            if deed == "delete" and self.rows:
                self.standing.discard(self.rows.pop(self.chance.choice((0, len(self.rows) // 2))))
            elif deed == "insert":
                self.newest += 10
                self.rows.insert(0 if self.order in ("newest", "changed") else len(self.rows), self.newest)
            elif self.order == "changed" and self.rows:
                self.rows.insert(0, self.rows.pop(self.chance.randrange(len(self.rows))))

    def answer(self, asked):
        size, rows = min(int(asked.get("size") or asked.get("pageSize") or asked["limit"]), self.holds), self.rows
        begin = 0
        if self.paging == "after":
            rows = [row for row in rows if row > int(asked.get("previousId", 0))]
        else:
            begin = int(asked["offset"]) if "offset" in asked else (int(asked["page"]) - 1) * size
        shown = rows[begin : begin + size]
        told = {"none": None, "whole": len(self.rows), "page": len(shown)}[self.total]
        return shown, {"results": [{"id": row} for row in shown], "meta": {"totalCount": told}}


def scanned(server):
    """The ids that came, how it ended ("" or the name of the trouble), and those that the pass remembers: None where it
    tells nothing of what it did not show.
    """
    paging, position, seen, found, listed = PAGINGS[server.paging], {}, Seen(), set(), set()
    for _ in range(1000):
        shown, body = server.answer(paging.parameters(position))
        found |= set(shown)
        try:
            step = paging.following(position, paging.read(body, "id"), "id", seen)
        except BadPage as trouble:
            return found, type(trouble).__name__, None
        listed |= set(map(int, step.ids))
        if step.following is None:
            return found, "", None if step.is_lacking else listed
        position = step.following
        server.change()
    return found, "never ended", None


@pytest.mark.parametrize("paging", PAGINGS)
def test_no_scan_that_ended_well_lacks_a_record_that_stood_throughout(paging):
    endings = Counter()
    for seed in range(1500):
        server = Server(random.Random(f"{paging}{seed}"), paging)
        found, trouble, _ = scanned(server)
        if not trouble:
            assert server.standing <= found, seed
        if not server.churn:
            assert not trouble, seed
        endings[trouble or "well"] += 1
    assert endings["well"] > 1000, endings
    assert "never ended" not in endings


@pytest.mark.parametrize("paging", PAGINGS)
def test_what_a_pass_does_not_show_did_not_stand_and_the_next_quiet_one_lacks_all_that_went(paging):
    """The records that are kept are those of the beginning and all that came since."""
    told = Counter()
    for seed in range(400):
        server = Server(random.Random(f"gone {paging}{seed}"), paging)
        kept = set(server.rows)
        found, _, listed = scanned(server)
        kept |= found
        if listed is not None:
            assert not (kept - listed) & server.standing, seed
            told["early"] += bool(kept - listed)
        server.churn = 0
        server.standing = set(server.rows)
        found, trouble, listed = scanned(server)
        assert trouble == ""
        assert kept - listed == kept - server.standing, seed
        told["late"] += bool(kept - listed)
    assert told["early"] > 5, told
    assert told["late"] > 80, told


@pytest.mark.parametrize("paging", PAGINGS)
def test_pages_are_halved_down_to_a_least_and_nothing_is_lost(paging):
    strategy, position, sizes = PAGINGS[paging], {}, []
    while (smaller := strategy.smaller(position)) is not None:
        position = smaller
        sizes.append(int(next(value for value in strategy.parameters(position).values() if value.isdigit())))
    assert sizes[:2] == [50, 25]
    assert min(sizes) >= SMALLEST_PAGE


@pytest.mark.parametrize("paging", ["number", "offset"])
@pytest.mark.parametrize("length", [1, 2, 3])
def test_a_row_that_slides_past_pages_of_one_record_is_read_all_the_same(paging, length):
    server = Server(random.Random(1), paging)
    server.rows = [10 * number for number in range(1, length + 1)]
    server.holds, server.order, server.total, server.churn = 1, "id", "none", 0
    changes = iter([lambda: server.rows.pop(0)])
    server.change = lambda: next(changes, lambda: None)()
    found, trouble, _ = scanned(server)
    assert trouble == ""
    assert found == {10 * number for number in range(1, length + 1)}
