"""What came of many trials, as tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tests.foreign.behaviours import BEHAVIOURS, EVERY
from tests.foreign.checks import INVARIANTS
from tests.foreign.trial import Outcome


def lines(outcome: Outcome) -> str:
    """One trial that went wrong, and how to have it again."""
    drawn = outcome.draw
    found = "\n".join(f"    {each}" for each in outcome.violations)
    return f"{drawn} -> {outcome.state}, {outcome.requests} requests\n{found}\n    again: python -m tests.foreign {drawn.again}"


def table(outcomes: Sequence[Outcome]) -> str:
    """Trials of each provider that violated each invariant."""
    width = max(map(len, INVARIANTS))
    rows = [f"{'':{width}}{''.join(f'{each:>15}' for each in EVERY)}{'all':>7}"]
    rows.append(_row("trials", width, outcomes))
    rows.append(_row("green at once", width, [each for each in outcomes if each.state == "succeeded"]))
    for invariant in INVARIANTS:
        hit = [each for each in outcomes if any(one.invariant == invariant for one in each.violations)]
        rows.append(_row(invariant, width, hit))
    rows.append(_row("any of these", width, [each for each in outcomes if each.violations]))
    seconds = sum(each.seconds for each in outcomes)
    rows.append(f"{seconds:.0f} s of work, {seconds / max(len(outcomes), 1):.2f} s a trial")
    return "\n".join(rows)


def _row(name: str, width: int, outcomes: Sequence[Outcome]) -> str:
    counts = Counter(each.draw.provider for each in outcomes)
    return f"{name:{width}}{''.join(f'{counts[each]:15}' for each in EVERY)}{len(outcomes):7}"


def by_behaviour(outcomes: Sequence[Outcome]) -> str:
    """Of each behaviour: its trials, and how many of them violated what."""
    rows = []
    for name in BEHAVIOURS:
        its = [each for each in outcomes if name in each.draw.behaviours]
        hits = Counter(found for each in its for found in {one.invariant for one in each.violations})
        if hits:
            told = ", ".join(f"{invariant} {count}" for invariant, count in hits.most_common())
            rows.append(f"{name:28}{len(its):5} trials: {told}")
    return "\n".join(rows)
