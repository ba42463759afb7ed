"""Thirty days of the watch over fifty connections: forty planted changes, ten outages, and every mail that comes of them.

    python -m pytest tests/onboarding/thirty_days.py

Takes some minutes and prints its figures; a short form of it is in test_thirty_days.py. Who answers the watch is made up, so
that nothing but the days is simulated: jobs, checks, incidents and mails are those of the portal.
"""

from __future__ import annotations

import copy
import random
import sys
from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from connections.spec.errors import Unavailable
from connections.transport import faults
from connections.transport.models import Breaker
from connections.vault.models import Connection
from portal.incidents.kinds import MailKind
from portal.incidents.models import Incident, Notice, Outage
from portal.onboarding.marks import ask_check
from portal.onboarding.models import Mark
from portal.onboarding.progress import sentence
from tests.incidents.conftest import let_pass, mailed
from tests.incidents.test_mails import choose
from tests.incidents.test_outages import fail, heal
from tests.incidents.test_thirty_days import TIMES
from tests.onboarding.test_engine import live, walker
from tests.onboarding.test_watch import CHANGES, PROCOUNTOR, Nights, nights, office, soon, world

__all__ = ["live", "nights", "office", "walker", "world"]  # fixtures
pytestmark = [pytest.mark.usefixtures("committed_db"), pytest.mark.timeout(7200)]


@dataclass
class MonthFigures:
    """What came of it. `wrong` is in words; everything else is counted."""

    days: int
    connections: int
    planted: int = 0
    reopened: int = 0
    outages: int = 0
    reopened_by_an_outage: int = 0
    mails: int = 0  # to anybody
    mails_opened: int = 0
    mails_healed: int = 0
    mails_after_unsubscribing: int = 0
    wrong: list[str] = field(default_factory=list)


class Month:
    """One tenant's connections, begun by two people of whom the second wants no mails after the middle of it."""

    def __init__(
        self, nights: Nights, owner: Any, other: Any, *, days: int, connections: int, changes: int, outages: int
    ) -> None:
        dice = random.Random(13)
        self.nights, self.owner, self.other = nights, owner, other
        self.figures = MonthFigures(days, connections)
        self.unsubscribes_on = days // 2
        self.outage_days = set(dice.sample(range(1, days - 2), outages))
        # Each on a connection of its own, at the latest so that it is seen and mended before the month is over.
        self.planted: dict[int, list[int]] = {}
        for number in dice.sample(range(connections), changes):
            self.planted.setdefault(dice.randrange(days - 5), []).append(number)
        self.people = [(owner, other)[number % 2] for number in range(connections)]
        self.connections: list[Connection] = []
        for number, person in enumerate(self.people):
            nights.who = person
            self.connections.append(nights.connect(number))
        mailed()
        self.good = copy.deepcopy((nights.world.sessions, nights.world.rights))
        self.unseen: list[int] = []
        self.mended_on: dict[int, int] = {}  # of those that were seen
        self.expected: dict[int, list[tuple[str, str]]] = {}  # what of each is mailed to whom
        self.recipients: dict[int, Any] = {}  # who was told that it began, and is told that it is over

    def pass_all(self) -> MonthFigures:
        figures = self.figures
        for day in range(figures.days):
            if day == self.unsubscribes_on:
                choose(self.nights.office, self.other, refused=list(MailKind.values))
            for number in self.planted.get(day, []):
                CHANGES[number % len(CHANGES)][0](self.nights.world, self.connections[number])
                figures.planted += 1
                self.unseen.append(number)
            if day in self.outage_days:
                self._outage()
            else:
                self._night(day)
            let_pass(timedelta(days=1), *TIMES)
        self._count_notices()
        figures.outages = Outage.objects.count()
        # What nobody here can mend is noted as well, and is no customer's incident.
        figures.reopened_by_an_outage += Incident.objects.filter(responsible="customer").count() - figures.reopened
        unmended = Incident.objects.filter(closed_at=None, responsible="customer").count()
        if self.unseen or self.mended_on or unmended:
            figures.wrong.append(f"never seen: {self.unseen}, never mended: {self.mended_on}, open: {unmended}")
        return figures

    def _night(self, day: int) -> None:
        mends = [number for number, due in self.mended_on.items() if due <= day]
        for number in mends:
            self._mend(number)
        mails = Counter(self.nights.pass_one())
        self.figures.mails += mails.total()
        if not self._wants(self.other, day):
            self.figures.mails_after_unsubscribing += mails[self.other.email]
        for number in mends:
            del self.mended_on[number]
            if self.nights.changed(self.connections[number]):
                self.figures.wrong.append(f"day {day}: {number} is not mended")
            if self._wants(self.recipients[number], day):
                self.expected[number].append(("healed", self.recipients[number].email))
        for number in self.unseen:
            self._seen(day, number)
            person = self.people[number] if self._wants(self.people[number], day) else self.owner
            self.recipients[number] = person
            self.mended_on[number] = day + 2
            if self._is_owners_alone(number):  # a mail of its own, to every owner
                self.expected[number] = []
                self.figures.mails_opened += mails[self.owner.email] > 0
            else:
                self.expected[number] = [("broken", person.email)]
        self.unseen = []

    def _is_owners_alone(self, number: int) -> bool:
        return CHANGES[number % len(CHANGES)][3] == "company-other"

    def _count_notices(self) -> None:
        """What was mailed of each change, and to whom. Several of one night stand in one mail."""
        emails = {person.pk: person.email for person in (self.owner, self.other)}
        for number, expected in self.expected.items():
            rows = Notice.objects.filter(connection_id=self.connections[number].id, outcome="mailed")
            rows = rows.filter(kind__in=("broken", "healed")).order_by("kind")
            sent = [(kind, emails[user]) for kind, user in rows.values_list("kind", "user_id")]
            if sent != expected:
                self.figures.wrong.append(f"of {number} was mailed {sent} instead of {expected}")
            self.figures.mails_opened += sum(kind == "broken" for kind, _ in sent)
            self.figures.mails_healed += sum(kind == "healed" for kind, _ in sent)

    def _wants(self, person: Any, day: int) -> bool:
        return person is not self.other or day < self.unsubscribes_on

    def _seen(self, day: int, number: int) -> None:
        """Its checkpoint and no other is open, with the difference in words."""
        connection = self.connections[number]
        _, checkpoint, state, code, words = CHANGES[number % len(CHANGES)]
        finding_code, values = self.nights.evidence(connection, checkpoint)
        read = sentence(PROCOUNTOR, finding_code, values)
        own = [word for word in words if "5" not in word]  # names and numbers of the fifth are another test's
        if self.nights.changed(connection) != {checkpoint: state} or finding_code != code:
            self.figures.wrong.append(f"day {day}: {number} is {self.nights.changed(connection)}, {finding_code}")
        elif not all(word in read for word in [*own, *([f"“Books {number}”"] if code == "company-other" else [])]):
            self.figures.wrong.append(f"day {day}: {number} reads {read}")
        else:
            self.figures.reopened += 1

    def _mend(self, number: int) -> None:
        connection, world = self.connections[number], self.nights.world
        world.sessions[connection.id] = copy.deepcopy(self.good[0][connection.id])
        world.rights[connection.id] = copy.deepcopy(self.good[1][connection.id])
        world.failures.pop(connection.id, None)
        if self._is_owners_alone(number):  # nothing is asked before somebody looks
            with self.nights.office.scope("web"):
                ask_check(mark=self.nights.mark(connection, "api-key"))

    def _outage(self) -> None:
        """Nobody is answered for a night. What was planted before is seen in the next one."""
        before, revoked = self._states(), dict(self.nights.world.failures)
        trouble = Unavailable(faults.NO_ANSWER, retry_at=soon())
        self.nights.world.failures = {each.id: trouble for each in self.connections}
        fail(*self.connections[:2])
        if mails := self.nights.pass_one():
            self.figures.wrong.append(f"an outage was mailed: {mails}")
        self.figures.reopened_by_an_outage += sum(before[key] != state for key, state in self._states().items())
        self.nights.world.failures = revoked
        heal()
        let_pass(timedelta(minutes=5))
        self.nights.office.work_off()
        Breaker.objects.all().delete()

    def _states(self) -> dict[tuple[Any, str], str]:
        rows = Mark.objects.values_list("onboarding__connection_id", "checkpoint", "state")
        return {(connection, checkpoint): state for connection, checkpoint, state in rows}


def test_thirty_days(nights: Nights, alice: Any, bob: Any, capsys: pytest.CaptureFixture[str]) -> None:
    figures = Month(nights, alice, bob, days=30, connections=50, changes=40, outages=10).pass_all()
    with capsys.disabled():
        sys.stdout.write(f"\n{asdict(figures)}\n")
    assert figures.wrong == []
    assert (figures.planted, figures.reopened, figures.outages) == (40, 40, 10)
    assert (figures.reopened_by_an_outage, figures.mails_after_unsubscribing) == (0, 0)
