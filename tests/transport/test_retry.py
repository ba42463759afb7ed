"""When we try again: never before the step, never before what was asked."""

from __future__ import annotations

import pytest

from connections.transport.limits import retry


@pytest.mark.parametrize("attempt", range(1, 8))
@pytest.mark.parametrize("floor", [0, 0.5, 7, 3600])
def test_no_retry_after_is_shorter_than_the_step(floor, attempt):
    assert retry.delay(attempt, floor) >= max(retry.STEPS_SECONDS[min(attempt, len(retry.STEPS_SECONDS)) - 1], floor)


@pytest.mark.parametrize(("attempt", "step"), [(1, 1), (2, 2), (3, 4), (4, 8), (5, 16), (6, 16), (60, 16)])
def test_jitter_is_added_after_each_step(attempt, step):
    delays = [retry.delay(attempt) for _ in range(300)]
    assert min(delays) >= step
    assert max(delays) <= step * 1.25
    assert len(set(delays)) > 200


def test_a_delay_is_never_below_the_floor_and_a_past_floor_changes_nothing():
    assert all(40 <= retry.delay(1, 40) <= 40.25 for _ in range(100))
    assert all(1 <= retry.delay(1, -5) <= 1.25 for _ in range(100))


def test_a_retry_budget_is_a_tenth_of_the_calls():
    budget = retry.RetryBudget()
    at_first = sum(budget.spend() for _ in range(10))
    assert at_first == retry.FIRST_RETRIES
    retries = 0
    for _ in range(1000):
        budget.earn()
        retries += budget.spend()
    assert 95 <= retries <= 100
    for _ in range(10_000):
        budget.earn()
    assert sum(budget.spend() for _ in range(100)) == retry.MOST_RETRIES


def test_a_provider_shares_one_budget_in_a_process():
    assert retry.budget_of("a:test") is retry.budget_of("a:test")
    assert retry.budget_of("a:test") is not retry.budget_of("a:production")
