"""No foreign server gets a green that is not true, breaks a connection for good, or has somebody blamed for its trouble.

Fixed trials show every behaviour once, and a few are drawn from fixed seeds, so that a failure here is the change's and
not the draw's. What nobody listed is found by `python -m tests.foreign`: it draws anew each time, and prints its seeds.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable

import pytest

from tests.foreign import plans, report
from tests.foreign.behaviours import BEHAVIOURS, EVERY
from tests.foreign.trial import Draw, Outcome, Trials, draw

DRAWN = 5
FIRST_SEED = 811_417  # the fifth is of a token that a provider's servers know late and that lives for five seconds
FIXED = 10  # the seed of what is planned
ASKED = "FOREIGN_TRIALS"  # what the command line asks for, as JSON


def tried(trials: Trials, draws: Iterable[Draw], *, is_short: bool = False, is_logged: bool = False) -> list[Outcome]:
    """Run them all, and tell of each that went wrong; `is_logged`: what each server was asked, too."""
    outcomes = []
    for drawn in draws:
        outcome = trials.run(drawn, is_short=is_short)
        outcomes.append(outcome)
        if is_logged:
            print(drawn, *outcome.log, sep="\n")
        if outcome.violations:
            print(report.lines(outcome), flush=True)
    print(report.table(outcomes))
    print(report.by_behaviour(outcomes), flush=True)
    return outcomes


def sound(outcomes: Iterable[Outcome]) -> None:
    wrong = [each for each in outcomes if each.violations]
    assert not wrong, "\n".join(report.lines(each) for each in wrong[:5])


@pytest.mark.timeout(600)
@pytest.mark.parametrize("provider", EVERY)
def test_every_behaviour(trials: Trials, provider: str) -> None:
    mine = [each for each in plans.short() if each.provider == provider]
    sound(tried(trials, [draw(FIXED, provider, each.names) for each in mine], is_short=True))


@pytest.mark.timeout(0)
def test_drawn(trials: Trials) -> None:
    """A few, or what the command line asks for."""
    asked = json.loads(os.environ.get(ASKED, "{}"))
    provider, names = asked.get("provider", ""), tuple(asked.get("behaviours", ()))
    seed = asked.get("seed")
    if asked.get("plan"):
        planned = {"every": plans.whole, "single": lambda: plans.single(names)}[asked["plan"]]()
        draws = [draw(seed or FIXED, each.provider, each.names) for each in planned if provider in ("", each.provider)]
    else:
        first = FIRST_SEED if seed is None else seed
        print(f"seeds from {first} on")
        draws = [draw(first + number, provider, names) for number in range(asked.get("trials", DRAWN))]
    sound(tried(trials, draws, is_logged=asked.get("log", False)))


def test_a_seed_draws_the_same_again() -> None:
    for seed in range(50):
        assert draw(seed) == draw(seed)
        assert draw(seed).options == draw(seed).options


def test_every_behaviour_is_planned_for_every_provider_that_may_have_it() -> None:
    short = {name for each in plans.short() for name in each.names}
    assert short == BEHAVIOURS.keys()
    whole = {(each.provider, name) for each in plans.whole() for name in each.names}
    assert whole == {(provider, each.name) for each in BEHAVIOURS.values() for provider in each.providers}
