"""What may be wrong at a provider or with what was typed: each as something that can be done, with what we should make of it."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from connections.sandbox.kit.switches import Choice, Switch
from connections.spec.faults import Responsible
from tests.contract.auth_methods import AuthMethod, simulators
from tests.contract.expectations import BREAKS

if TYPE_CHECKING:
    from tests.contract.customers import Customer

SWITCH = "switch: "
CUSTOMER, US, PROVIDER, NOBODY = Responsible.CUSTOMER, Responsible.US, Responsible.PROVIDER, Responsible.NOBODY


@dataclass(frozen=True)
class Condition:
    """One of them. `plant` brings it about.

    `reopens`: the checkpoints at which it is mended, no others may reopen; `codes`: of the findings or faults that name the
    cause, any of them; `thing`: what the customer's sentence must name. Without codes nothing is wrong, and everything
    stays green. `blind`: why no proof of ours can tell it; `alike`: what the provider answers in the same words, so that the
    cause is told as one of several.
    """

    title: str
    plant: Callable[[Customer], object]
    reopens: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    responsible: Responsible | None = None
    thing: str = ""
    blind: str = ""
    alike: str = ""
    grants: tuple[str, ...] = ()  # only of connections with these; () is for all
    is_before: bool = False  # it is there before anything has worked
    is_short: bool = False  # part of the short form
    by_hand: bool = False  # only where the credential is typed in, and no login gives it
    is_login: bool = False  # it is a login that comes to nothing, and nobody goes on after it
    lasts: bool = False  # cannot be taken back: records or certificates are changed

    @property
    def is_switch(self) -> bool:
        return self.title.startswith(SWITCH)

    def is_for(self, auth_method: AuthMethod) -> bool:
        is_typed = not auth_method.login or not self.by_hand
        return is_typed and (not self.grants or auth_method.grant in self.grants)


def setup_of(slug: str) -> Mapping[str, Any]:
    """What is asked for at the provider before a walk: {} is what its simulator makes by itself."""
    order: Mapping[str, Any] = getattr(importlib.import_module(f"tests.contract.conditions.{slug}"), "SETUP", {})
    return order


def switched(auth_method: AuthMethod) -> list[Condition]:
    """Every position of every switch of the simulator but the ones it stands on: nothing may reopen for any of them.

    Those that break something are planted one by one; of the others, all first ones together, all second ones, and so on.
    """
    slug, breaks = auth_method.slug, BREAKS.get(str(auth_method), {})
    alone, together = [], list[dict[Switch, Choice]]()
    for switch in simulators()[slug].switches:
        others = [choice for choice in switch.choices if choice.value != switch.default]
        broken = [choice for choice in others if (switch.name, choice.value) in breaks]
        alone += [
            _switch({switch: choice}, READ_AS.get((slug, switch.name, choice.value), OFTEN_READ_AS))
            for choice in broken
        ]
        quiet = [choice for choice in others if choice not in broken]
        if (slug, switch.name) in APART:
            alone += [_switch({switch: choice}) for choice in quiet]
            continue
        for number, choice in enumerate(quiet):
            if number == len(together):
                together.append({})
            together[number][switch] = choice
    return [*alone, *(_switch(positions) for positions in together)]


def _switch(positions: Mapping[Switch, Choice], codes: tuple[str, ...] = ()) -> Condition:
    changes = {switch.name: choice.value for switch, choice in positions.items()}
    return Condition(
        SWITCH + "; ".join(f"{switch.title} - {choice.meaning}" for switch, choice in positions.items()),
        lambda customer: customer.simulator.control("switches", changes),
        codes=codes,
    )


OFTEN_READ_AS = ("provider-trouble", "maintenance", "redirected", "unreadable", "unreadable-answer")
# With another switch in its other position this one breaks what neither breaks by itself.
APART = {("simutek", "unknown_parameters")}
READ_AS = {
    ("simutek", "list_path", "customers"): ("list-moved",),
    # These break a login: a connection that stands does not notice.
    ("hesabit", "unknown_parameters", "refused"): (),
    ("smartbusiness", "pkce", "refused"): (),
}


def conditions(auth_method: AuthMethod) -> list[Condition]:
    """Of this way, in the order in which they are planted; what lasts comes last.

    What is the same in all ways of a grant, the switches and what may be wrong at any provider, is planted in one of them.
    """
    from tests.contract.conditions import everywhere

    own: Sequence[Condition] = importlib.import_module(f"tests.contract.conditions.{auth_method.slug}").CONDITIONS
    shared = [*everywhere.CONDITIONS, *switched(auth_method)] if auth_method.is_plain else []
    chosen = [each for each in (*own, *shared) if each.is_for(auth_method)]
    return sorted(chosen, key=lambda each: (each.lasts, not each.is_before))
