"""Fixed trials that show every behaviour: several in one trial, where they do not hide each other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.foreign.behaviours import BEHAVIOURS, EVERY, Behaviour
from tests.foreign.options import IN_TURN

MOST = {"readable": 6, "lists": 2, "answers": 4}
OF_ANSWERS = ("trouble", "token", "fresh")
MOST_OF_A_SLOT = 3  # where they come one after the other


@dataclass
class Plan:
    provider: str
    chosen: list[Behaviour] = field(default_factory=list)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(each.name for each in self.chosen)

    def fits(self, behaviour: Behaviour) -> bool:
        if not self.chosen:
            return True
        kind = _kind(behaviour)
        if kind != _kind(self.chosen[0]) or len(self.chosen) >= MOST[kind]:
            return False
        return compatible([*self.chosen, behaviour])


def _kind(behaviour: Behaviour) -> str:
    if behaviour.is_readable:
        return "readable"
    return "answers" if behaviour.slot in OF_ANSWERS else "lists"


def compatible(chosen: list[Behaviour]) -> bool:
    """Whether one server can do all of it, and each would still be seen."""
    if len({each.auth_method for each in chosen if each.auth_method}) > 1:
        return False
    slots = [each.slot for each in chosen]
    if "elements" in slots and {"envelope", "text", "names"} & set(slots):
        return False  # the one is for XML, the others are for JSON
    # Sessions that are refused again and again, in whatever ways, are no slip any more.
    doubtful = [each for each in chosen if "401" in each.name or each.slot == "fresh"]
    if len(doubtful) > 1 or (doubtful and "token" in slots):
        return False
    taken: set[str] = set()
    for each in chosen:
        in_turn = set(each.options) & set(IN_TURN)
        if (not in_turn and slots.count(each.slot) > 1) or slots.count(each.slot) > MOST_OF_A_SLOT:
            return False
        if (set(each.options) - in_turn) & taken:
            return False
        taken |= set(each.options) - in_turn
    return True


def packed(pairs: Iterable[tuple[str, Behaviour]]) -> list[Plan]:
    """Each into the first trial of its provider where it fits."""
    plans: list[Plan] = []
    for provider, behaviour in pairs:
        plan = next((each for each in plans if each.provider == provider and each.fits(behaviour)), None)
        if plan is None:
            plan = Plan(provider)
            plans.append(plan)
        plan.chosen.append(behaviour)
    return plans


def short() -> list[Plan]:
    """Every behaviour once, each with another provider than the one before it."""
    pairs = []
    for number, behaviour in enumerate(BEHAVIOURS.values()):
        pairs.append((behaviour.providers[number % len(behaviour.providers)], behaviour))
    return packed(pairs)


def whole() -> list[Plan]:
    """Every behaviour with every provider that may have it."""
    return packed((provider, each) for provider in EVERY for each in BEHAVIOURS.values() if provider in each.providers)


def single(names: Iterable[str] = ()) -> list[Plan]:
    """Every pair on its own, of these behaviours or of all."""
    wanted = set(names) or set(BEHAVIOURS)
    found = [each for each in BEHAVIOURS.values() if each.name in wanted]
    return [Plan(provider, [each]) for provider in EVERY for each in found if provider in each.providers]
