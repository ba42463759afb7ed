"""Thirty days of planted changes and outages: every change an incident, no outage one, two mails each to the right person."""

from __future__ import annotations

import random
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.utils import timezone

from connections.sync.models import SyncRun
from connections.transport.models import Breaker
from portal.incidents.models import Incident, Notice, Outage
from tests.incidents.conftest import let_pass, mailed
from tests.incidents.test_mails import stop_link
from tests.incidents.test_outages import fail, heal

pytestmark = pytest.mark.usefixtures("committed_db", "no_checks")
DAYS, CONNECTIONS = 30, 6
CHANGES = ("access-ended", "usage-forbidden", "api-key-refused", "parts-missed")
OUTAGE_DAYS = (4, 12, 21)
UNSUBSCRIBED_ON = 16
TIMES = (
    (Incident, ("opened_at", "last_seen_at", "closed_at")),
    (Notice, ("created_at", "due_at", "ended_at")),
    (SyncRun, ("queued_at", "started_at", "ended_at")),
    (Outage, ("opened_at", "closed_at", "customers_told_at")),
    (Breaker, ("opened_at", "next_at", "began_at", "healed_at")),
)


def test_thirty_days(office: Any, client: Any, alice: Any, bob: Any) -> None:
    dice = random.Random(13)
    people = [alice, bob]
    connections = [office.connect(people[number % 2], number) for number in range(CONNECTIONS)]
    # On which day which connection changes; each is mended two days later.
    changes = {number: dice.sample(range(1, DAYS - 3, 4), 3) for number in range(CONNECTIONS)}
    planted = {
        (day, number): dice.choice(CHANGES)
        for number, days in changes.items()
        for day in days
        if day not in OUTAGE_DAYS
    }
    broken: dict[int, tuple[int, str]] = {}
    first_told: dict[int, str] = {}
    expected: Counter[str] = Counter()
    opened = 0
    link = healed_link = ""
    for day in range(DAYS):
        if day == UNSUBSCRIBED_ON:
            assert link
            assert healed_link
            # Both kinds, by the links of two mails.
            for address in (link, healed_link):
                assert client.post(address).status_code == 200
        has_outage = day in OUTAGE_DAYS
        if has_outage:
            fail(*connections)
        for number, connection in enumerate(connections):
            # Who wants no mails leaves them to the owner; who was told of the beginning is the one who is told of the end.
            wants = day < UNSUBSCRIBED_ON or number % 2 == 0
            person = people[number % 2] if wants else alice
            if number in broken and day >= broken[number][0] + 2 and not has_outage:
                del broken[number]
                office.run(connection)
                told = first_told.pop(number)
                expected[told] += told != bob.email or wants
                continue
            if (day, number) in planted and number not in broken:
                broken[number] = (day, planted[day, number])
                opened += 1
                first_told[number] = person.email
                expected[person.email] += 1
            if has_outage and number not in broken:
                office.run(connection, "no-answer")
            else:
                office.run(connection, broken[number][1] if number in broken else "")
        office.work_off()
        if has_outage:
            heal()
            let_pass(timedelta(minutes=5))
            office.work_off()
            Breaker.objects.all().delete()
            for number, connection in enumerate(connections):
                if number not in broken:
                    office.run(connection)  # as a run that had waited goes on
        for message in mail.outbox:
            if message.to == [bob.email] and "works again" in message.subject:
                healed_link = stop_link(message)
            elif message.to == [bob.email]:
                link = stop_link(message)
        got = mailed()
        if day >= UNSUBSCRIBED_ON:
            assert bob.email not in got, day
        for address, count in got.items():
            expected[address] -= count
        let_pass(timedelta(days=1), *TIMES)
        office.work_off()
    assert mailed() == {}
    assert opened >= 10
    assert Incident.objects.count() == opened, "0 by an outage"
    assert Outage.objects.count() == len(OUTAGE_DAYS)
    assert Outage.objects.filter(closed_at=None).count() == 0
    assert {address: left for address, left in expected.items() if left} == {}, "mails that are missing, or too many"
    assert not Notice.objects.filter(ended_at=None, due_at__lte=timezone.now()).exists()
