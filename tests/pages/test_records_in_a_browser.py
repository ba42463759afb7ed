"""Records in a real browser: accessible and no wider than the window whatever they hold, without JavaScript as well."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from connections.providers import registry
from connections.sync import upsert
from connections.sync.models import Record, StreamCursor
from connections.sync.searching import searched_by
from connections.tenancy.scope import SYSTEM, tenant_scope
from connections.vault.services import mark_healthy, open_connection
from tests.hostile_values import VALUES
from tests.pages.test_in_a_browser import (  # noqa: F401  (fixtures)
    SCREENS,
    assert_fits_and_is_accessible,
    browser,
    enter,
    site,
)
from tests.roles import acting_as

pytestmark = [pytest.mark.journey, pytest.mark.usefixtures("committed_db")]

LONG_WORD = "Pohjoismainenkirjanpitojatilintarkastuspalvelukeskusosakeyhtiö" * 8
PLANTED = "<img src=x onerror=\"document.title='taken'\"><b hx-get='/planted' hx-trigger='load'>b</b>"


def invoice(number: int, name: str, **more: Any) -> dict[str, Any]:
    totals = [
        {"currency": "EUR", "invoiceSumTotal": 1200.5, "vatSumTotal": 255.05},
        {"currency": "SEK", "invoiceSumTotal": 7},
    ]
    return {
        "id": number,
        "type": "SALES_INVOICE",
        "status": "PAID",
        "invoiceNumber": 1000 + number,
        "date": "2026-05-04",
        "dueDate": "2026-05-18",
        "created": "2026-05-04T08:30:00",
        "isOffer": False,
        "originalInvoiceNumber": None,
        "invoiceSumInfo": totals,
        "counterParty": {"counterPartyAddress": {"name": name, "street": "Keksitty katu 1", "city": "MALLILA"}},
        "creatorId": 77,
        "notes": None,
        **more,
    }


HOSTILE = {
    "9" * 120: invoice(1, LONG_WORD, notes=LONG_WORD, creatorId=LONG_WORD),
    "rtl": invoice(2, "شركة خیالی \u202eabc", notes="فاکتور فروش ۱۲۳"),
    "<i>&amp;": invoice(3, PLANTED, **{"<b>key</b>": PLANTED, "k" * 300: 1}),
    "a/../b?c#d": invoice(4, "\n\t  lines\nand tabs", notes={"deep": [[1, [2]], {"n": list(range(60))}]}),
    **{f"v{number}": invoice(number, value, notes=value) for number, value in enumerate(VALUES.values(), 10)},
}


@pytest.fixture
def place(committed_db: None, aamu: Any) -> str:
    """A list of a connection whose records hold what nobody meant, with one that changed and one that is gone."""
    with tenant_scope(aamu.id):
        opened = open_connection(tenant=aamu, provider="procountor", environment="test", actor=SYSTEM)
        mark_healthy(connection=opened)
        stream = next(each for each in registry.all_providers()["procountor"].streams if each.name == "invoices")
        cursor = StreamCursor(tenant=aamu, connection=opened, stream="invoices", records=len(HOSTILE) + 60)
        cursor.read_at, cursor.searched_by = timezone.now(), searched_by(stream)
        cursor.save(force_insert=True)
    pages = [
        [invoice(number, f"Halla {number} Oy") for number in range(100, 160)],
        [{**record, "id": key} for key, record in HOSTILE.items()],
        [{**record, "id": key, "status": PLANTED, "notes": "changed"} for key, record in HOSTILE.items()],
    ]
    for records in pages:
        with acting_as("worker"), tenant_scope(aamu.id):
            upsert.write(
                connection=opened,
                stream="invoices",
                key="id",
                document=json.dumps(records).encode(),
                searched=[column.steps for column in stream.searched],
            )
    Record.objects.filter(external_id__in=["rtl", "120"]).update(gone_at=timezone.now())
    return f"/t/aamu/c/{opened.id}/records/invoices/"


def addresses(place: str) -> list[str]:
    connection = place.partition("records/")[0]
    ids = ["9" * 120, "rtl", "<i>&amp;", "a/../b?c#d", "110"]
    return [
        connection,
        place,
        f"{place}?show=gone",
        f"{place}?by=2&q=halla",
        f"{place}?by=1&q={quote('%')}",
        f"{place}?since=2026-02-30",
        place.replace("invoices", "partners"),
        *(f"{place}record/?id={quote(each, safe='')}" for each in ids),
        *(f"{place}record/json/?id={quote(each, safe='')}" for each in ids),
    ]


@pytest.mark.parametrize(("width", "scheme"), [*SCREENS, (320, "light")])
def test_records_fit_and_are_accessible_whatever_they_hold(
    width: int,
    scheme: str,
    enter: Callable[..., Page],  # noqa: F811
    vera: Any,
    place: str,
) -> None:
    page = enter(vera, width, scheme)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for address in addresses(place):
        page.goto(address)
        assert "/account/login/" not in page.url
        assert_fits_and_is_accessible(page)
        assert "taken" not in page.title()
    assert not [url for url in asked if "planted" in url or url.endswith("/x")]


def test_a_record_is_found_without_javascript_and_by_keyboard(
    enter: Callable[..., Page],  # noqa: F811
    vera: Any,
    place: str,
) -> None:
    page = enter(vera, javascript=False)
    page.goto(place.partition("records/")[0])
    page.get_by_role("link", name="Invoices", exact=True).click()
    page.get_by_label("Find by").select_option(label="Partner")
    page.get_by_label("Begins with").fill("HALLA 125")
    page.keyboard.press("Enter")
    expect(page.locator("#records tbody tr")).to_have_count(1)
    page.locator("#records a").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("125")
    page.get_by_role("link", name="Show as JSON").click()
    expect(page.locator("pre")).to_contain_text('"invoiceSumTotal": 1200.5')
    page.get_by_role("link", name="Invoices", exact=True).click()
    page.get_by_label("Show").select_option(label="those that are gone")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("#records tbody tr")).to_have_count(2)
