"""What may be wrong at a provider or with what was typed: each as something that can be done, with what we should make of it."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

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
    lasts: bool = False  # cannot be taken back: records or certificates are changed

    @property
    def is_switch(self) -> bool:
        return self.title.startswith(SWITCH)

    def is_for(self, auth_method: AuthMethod) -> bool:
        return not self.grants or auth_method.grant in self.grants


def switched(auth_method: AuthMethod) -> list[Condition]:
    """Every position of every switch of the simulator but the ones it stands on: nothing may reopen for any of them."""
    breaks: Mapping[tuple[str, str], str] = BREAKS.get(str(auth_method), {})
    return [
        Condition(
            f"{SWITCH}{switch.title} - {choice.meaning}",
            lambda customer, name=switch.name, value=choice.value: customer.simulator.control(  # type: ignore[misc]
                "switches", {name: value}
            ),
            codes=READ_AS.get((auth_method.slug, switch.name, choice.value), OFTEN_READ_AS)
            if (switch.name, choice.value) in breaks
            else (),
        )
        for switch in simulators()[auth_method.slug].switches
        for choice in switch.choices
        if choice.value != switch.default
    ]


OFTEN_READ_AS = ("provider-trouble", "maintenance", "redirected", "unreadable", "no-word-now", "unreadable-answer")
READ_AS = {("simutek", "list_path", "customers"): ("list-moved",)}


def conditions(auth_method: AuthMethod) -> list[Condition]:
    """Of this way, in the order in which they are planted; what lasts comes last.

    What is the same in all ways of a grant, the switches and what may be wrong at any provider, is planted in one of them.
    """
    from tests.contract.conditions import everywhere

    own: Sequence[Condition] = importlib.import_module(f"tests.contract.conditions.{auth_method.slug}").CONDITIONS
    shared = [*everywhere.CONDITIONS, *switched(auth_method)] if auth_method.is_plain else []
    chosen = [each for each in (*own, *shared) if each.is_for(auth_method)]
    return sorted(chosen, key=lambda each: (each.lasts, not each.is_before))
