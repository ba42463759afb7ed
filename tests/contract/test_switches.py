"""What a provider's document leaves open, tried both ways: it works, or the error says what broke."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from connections.providers.registry import all_providers
from connections.spec.errors import CallFailed
from connections.spec.streams import BadPage, CutList
from connections.sync import faults
from connections.transport import authorization
from connections.transport.models import AttemptState
from tests.contract.customers import Customer, Simulated
from tests.contract.expectations import BREAKS
from tests.contract.ways import Way, simulated, simulators, ways_of



def positions() -> list[tuple[str, str, str]]:
    """Every position of every switch but the default, which all other tests stand on."""
    return [
        (provider.slug, switch.name, choice.value)
        for provider in simulated()
        for switch in simulators()[provider.slug].switches
        for choice in switch.choices
        if choice.value != switch.default
    ]


def trouble(arrive: Callable[[Way], Customer], way: Way, switch: str, position: str) -> str:
    """Connect in this way with the switch moved, and read a page of every list; the code of what went wrong, or ''."""
    customer = arrive(way)
    customer.simulator.control("switches", {switch: position})
    try:
        customer.connect()
        customer.fresh_token()
        customer.page_of_each(whole=way == ways_of(way.provider)[0])
    except CutList:
        return faults.LIST_CUT.code
    except BadPage:
        return faults.PAGE_UNREADABLE.code
    except CallFailed as failed:
        return failed.fault.code
    except SignInFailed as failed:
        return str(failed)
    return ""


class SignInFailed(Exception):
    """A login that did not end in a session, by the word it ended with."""


@pytest.fixture(autouse=True)
def told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """A login that fails says why, here by an error."""
    sign_in = Customer.sign_in

    def tried(self: Customer, **options: bool) -> object:
        attempt = sign_in(self, **options)
        if attempt.state != AttemptState.EXCHANGED:
            raise SignInFailed(attempt.word)
        return attempt

    monkeypatch.setattr(Customer, "sign_in", tried)


@pytest.mark.parametrize(("slug", "switch", "position"), positions())
def test_either_reading_works_or_names_its_trouble(
    arrive: Callable[[Way], Customer], slug: str, switch: str, position: str
) -> None:
    expected = BREAKS.get(slug, {}).get((switch, position), "")
    found = {str(way): trouble(arrive, way, switch, position) for way in ways_of(all_providers()[slug])}
    if expected:
        assert expected in found.values(), f"no longer breaks as listed: {found}"
    assert set(found.values()) <= {"", expected}, found


def test_what_is_expected_to_break_exists() -> None:
    known = {(slug, switch, position) for slug, switch, position in positions()}
    for slug, breaks in BREAKS.items():
        if slug in simulators():
            assert {(slug, *which) for which in breaks} <= known
            for code in breaks.values():
                assert code in authorization.WORDS or faults.find(provider=slug, code=code) is not None, code


@pytest.mark.parametrize("slug", [provider.slug for provider in simulated()])
def test_the_simulator_tells_the_switches_it_has(sandbox_process: object, slug: str) -> None:
    told = Simulated(sandbox_process, slug).control("switches")["switches"]  # type: ignore[arg-type]
    assert [each["name"] for each in told] == [switch.name for switch in simulators()[slug].switches]
