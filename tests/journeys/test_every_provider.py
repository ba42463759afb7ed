"""Each provider by each of its ways, in a real browser: from nothing to the first sync, and back to disconnected."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.journeys.conftest import Live, sign_in
from tests.journeys.offices import (
    Hesabit,
    Office,
    Pentamic,
    Procountor,
    ProcountorKeyLogin,
    Simutek,
    SmartBusiness,
)
from tests.journeys.walking import OWNER, Customer

pytestmark = [pytest.mark.journey, pytest.mark.timeout(300)]

JOURNEYS: list[tuple[type[Office], str]] = [
    (SmartBusiness, "own-client"),
    (SmartBusiness, "consent"),
    (Pentamic, "client-credentials"),
    (Simutek, "client-credentials"),
    (Hesabit, "consent"),
    (Procountor, "m2m"),
    (ProcountorKeyLogin, "m2m"),
    (Procountor, "sign-in"),
]


@pytest.mark.parametrize(("office", "way"), JOURNEYS, ids=[f"{office.__name__}-{way}" for office, way in JOURNEYS])
def test_from_nothing_to_disconnected(live: Live, new_page: Any, office: type[Office], way: str) -> None:
    page, other = new_page(), new_page()
    sign_in(page, live, OWNER)
    customer = Customer(page, live.portal)
    provider = office(other, live.sandbox)
    customer.begin(provider.slug, way)
    assert set(customer.states().values()) == {"open"}

    handed = provider.make(customer)
    customer.walk(handed, provider)
    expect(page.locator("main")).to_contain_text("You are live")
    page.goto(customer.connection)
    expect(page.locator("#moving")).to_contain_text(re.compile("Up to date"))
    for name, value in handed.items():
        if "secret" in name:
            assert value not in page.content()
            assert value not in live.logs()
