"""Using limits: every rate counts or none does, exactly, also at once; the sentence says which, and until when."""

from __future__ import annotations

import threading
from datetime import timedelta
from uuid import UUID

import pytest
from django.db import transaction
from django.utils import timezone, translation

from connections.spec.text import duration
from portal.rate_limits import database
from portal.rate_limits.limits import ALL, DAY, HOUR, Limit, Rate, Scope
from portal.rate_limits.models import Usage
from portal.rate_limits.spending import RateLimited, forget, of_connection, spend

pytestmark = pytest.mark.django_db

BOTH = Limit("both", "Not now.", (Rate(Scope.PERSON, 2, HOUR), Rate(Scope.RECIPIENT, 3, DAY)))
HOUSE = Limit("house", "Not now.", (Rate(Scope.PORTAL, 40, HOUR),))


def by(person: int, recipient: str = "a@b.example") -> dict[Scope, object]:
    return {Scope.PERSON: person, Scope.RECIPIENT: recipient}


def counts() -> dict[str, int]:
    with database.cursor() as cursor:
        cursor.execute("SELECT split_part(key, ':', 2), sum(count) FROM rate_limits_usage GROUP BY 1")
        return dict(cursor.fetchall())


def test_a_limit_holds_and_a_refusal_counts_nothing() -> None:
    spend(BOTH, by(1))
    spend(BOTH, by(1))
    with pytest.raises(RateLimited) as refused:
        spend(BOTH, by(1))
    assert refused.value.rate.scope is Scope.PERSON
    assert counts() == {"person": 2, "recipient": 2}
    spend(BOTH, by(2))
    with pytest.raises(RateLimited) as refused:
        spend(BOTH, by(3, "A@B.example ".strip()))
    assert refused.value.rate.scope is Scope.RECIPIENT
    assert counts() == {"person": 3, "recipient": 3}


def test_it_opens_again_when_its_time_is_over() -> None:
    for _ in range(2):
        spend(BOTH, by(1))
    with database.cursor() as cursor:
        cursor.execute("UPDATE rate_limits_usage SET opens_at = clock_timestamp() - interval '1 second'")
    spend(BOTH, by(1))
    assert counts() == {"person": 1, "recipient": 1}


def test_a_use_can_be_taken_back_and_forgotten() -> None:
    spend(BOTH, by(1)).refund()
    assert counts() == {"person": 0, "recipient": 0}
    for _ in range(2):
        spend(BOTH, by(1))
    forget(BOTH, by(1))
    assert counts() == {"person": 2}


def test_nothing_is_counted_for_nobody() -> None:
    for _ in range(5):
        spend(BOTH, {Scope.PERSON: None, Scope.RECIPIENT: ""})
    assert counts() == {}


def test_of_many_at_once_exactly_as_many_get_through_as_may() -> None:
    passed: list[int] = []

    def use(name: int) -> None:
        for _ in range(12):
            try:
                spend(HOUSE, {})
            except RateLimited:
                continue
            passed.append(name)
        database.close()

    threads = [threading.Thread(target=use, args=[number]) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(passed) == 40
    assert counts() == {"house": 40}


def test_what_was_counted_stays_when_the_page_fails() -> None:
    with transaction.atomic():
        spend(BOTH, by(1))
        transaction.set_rollback(True)
    assert counts() == {"person": 1, "recipient": 1}


def test_addresses_stand_nowhere() -> None:
    spend(BOTH, by(1, "secret@person.example"))
    with database.cursor() as cursor:
        cursor.execute("SELECT string_agg(key, ' ') FROM rate_limits_usage")
        assert "secret" not in cursor.fetchone()[0]


def test_whoever_names_another_tenants_connection_uses_up_nothing_of_it() -> None:
    connection, aamu, kaste = (UUID(int=number) for number in (1, 2, 3))
    assert of_connection(aamu, connection) != of_connection(kaste, connection)


def test_the_sentence_says_which_limit_and_when_it_opens_in_the_readers_zone() -> None:
    soon = timezone.now() + timedelta(minutes=5)
    refused = RateLimited(BOTH, BOTH.rates[0], soon)
    with timezone.override("Europe/Helsinki"), translation.override("en"):
        assert "One person may do this 2 times within 1 hour." in refused.sentence
        assert timezone.localtime(soon).strftime("%H:%M EE") in refused.sentence
    with timezone.override("Asia/Tehran"), translation.override("en"):
        assert timezone.localtime(soon).strftime("%H:%M UTC+03:30") in refused.sentence
    assert (str(duration(DAY)), str(duration(2 * HOUR)), str(duration(600))) == ("1 day", "2 hours", "10 minutes")


def test_the_table_of_limits_is_sound() -> None:
    assert len({limit.name for limit in ALL}) == len(ALL) > 20
    longest = Usage._meta.get_field("key").max_length
    for limit in ALL:
        assert limit.rates, limit.name
        assert str(limit.sentence).endswith("."), limit.name
        assert len({rate.scope for rate in limit.rates}) == len(limit.rates), limit.name
        for rate in limit.rates:
            assert rate.most > 0, limit.name
            assert rate.seconds % 60 == 0, limit.name
            assert len(f"{limit.name}:{rate.scope.value}:") + 74 <= longest, limit.name
