"""What a provider's document leaves open, tried both ways: it works, or the error says what broke."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from connections.spec.errors import CallFailed
from connections.spec.streams import BadPage, CutList
from connections.sync import faults
from connections.transport.models import Breaker
from connections.transport.oauth import authorization
from tests.contract.auth_methods import AuthMethod, auth_methods, auth_methods_of, simulated, simulators
from tests.contract.customers import Customer, Simulated
from tests.contract.expectations import BREAKS

pytestmark = pytest.mark.split


def positions(slug: str) -> list[tuple[str, str, str]]:
    """Every position of every switch but the default, which all other tests stand on, and that default."""
    return [
        (switch.name, choice.value, switch.default)
        for switch in simulators()[slug].switches
        for choice in switch.choices
        if choice.value != switch.default
    ]


def trouble(customer: Customer) -> str:
    """Connect once more and read a page of every list; the code of what went wrong, or ''."""
    try:
        customer.confirm_certificates()
        if customer.auth_method.login and (attempt := customer.sign_in(and_check=False)).state != "exchanged":
            return attempt.reason_code
        customer.fresh_token()
        customer.page_of_each(whole=customer.auth_method == auth_methods_of(customer.provider)[0])
    except CutList:
        return faults.LIST_CUT.code
    except BadPage:
        return faults.PAGE_UNREADABLE.code
    except CallFailed as failed:
        return failed.fault.code
    return ""


def test_either_reading_works_or_names_its_trouble(
    arrive: Callable[[AuthMethod], Customer], auth_method: AuthMethod
) -> None:
    found: dict[tuple[str, str], str] = {}
    customer = arrive(auth_method).connect()
    for switch, position, default in positions(auth_method.slug):
        Breaker.objects.all().delete()  # trouble of one reading is nothing to the next
        customer.simulator.control("switches", {switch: position})
        if word := trouble(customer):
            found[switch, position] = word
            customer = arrive(auth_method).connect()
        else:
            customer.simulator.control("switches", {switch: default})
    assert found == BREAKS.get(str(auth_method), {})


def test_what_is_expected_to_break_exists() -> None:
    named = {str(auth_method): auth_method for auth_method in auth_methods()}
    missing = set(BREAKS) - set(named)
    assert missing == set(), "no such way"
    for name, breaks in BREAKS.items():
        slug = named[name].slug
        assert set(breaks) <= {(switch, position) for switch, position, _ in positions(slug)}
        for code in breaks.values():
            assert code in authorization.MESSAGES or faults.resolve_fault(provider=slug, code=code) is not None, code


@pytest.mark.parametrize("slug", [provider.slug for provider in simulated()])
def test_the_simulator_tells_the_switches_it_has(sandbox_process: Any, slug: str) -> None:
    told = Simulated(sandbox_process, slug).control("switches")["switches"]
    assert [each["name"] for each in told] == [switch.name for switch in simulators()[slug].switches]
