"""No page is wider than its window: at 1280 pixels zoomed to 200 %, on a phone, and at 400 % (WCAG 2.2, 1.4.10)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import admin
from django.urls import NoReverseMatch, reverse
from playwright.sync_api import Page

from connections.sync.models import RunLogLine, SyncRun
from connections.tenancy.scope import tenant_scope
from connections.transport.models import RequestLogEntry
from connections.vault.models import Connection
from tests.conftest import joined, person
from tests.pages.crowd import ADDRESSES, settle
from tests.pages.test_in_a_browser import browser, enter, site  # noqa: F401  (fixtures)

pytestmark = [pytest.mark.journey, pytest.mark.usefixtures("committed_db", "every_button")]

WIDTHS = {"1280 at 200 %": 640, "a phone": 390, "1280 at 400 %": 320}
LONG = "Pohjoismainen Kirjanpito- ja Tilintarkastuspalvelukeskusosakeyhtiö"
SIGNED_OUT = [
    "/account/login/",
    "/account/password/reset/",
    "/account/signup/",
    "/invitations/nothing/",
    "/no/such/page/",
]
OWN = [
    "/companies/",
    "/you/",
    "/account/password/change/",
    "/account/2fa/",
    "/account/2fa/totp/activate/",
    "/account/email/",
    "/account/sessions/",
    "/account/logout/",
    "/account/reauthenticate/",
    "/demo/mail/",
]
EXCESS = """() => {
  const limit = document.documentElement.clientWidth;
  const wide = document.documentElement.scrollWidth - limit;
  if (wide <= 0) return null;
  const held = (each) => {
    for (let up = each.parentElement; up && up !== document.body; up = up.parentElement)
      if (getComputedStyle(up).overflowX !== "visible") return true;
    return false;
  };
  const out = (each) => {
    const box = each.getBoundingClientRect();
    return box.right > limit + 0.5 || box.left < -0.5 || each.scrollWidth > Math.ceil(box.width) + 1;
  };
  const culprits = [...document.querySelectorAll("body *")].filter(
    (each) => !each.classList.contains("visually-hidden") && out(each) && !held(each));
  const last = culprits.filter((each) => !culprits.some((other) => other !== each && each.contains(other)));
  return wide + " px: " + last.slice(0, 4).map((each) => each.outerHTML.slice(0, 160)).join(" | ");
}"""


@pytest.fixture
def ids(aamu: Any, alice: Any) -> dict[str, Any]:
    joined(person("a.person.with.a.rather.long.address@aamunkirjanpito.example", name="Olga Ojala"), aamu, "owner")
    ids = settle(aamu, alice)
    with tenant_scope(aamu.id):
        Connection.objects.update(company_name=LONG, company_id="1234567-8")
        run = SyncRun.objects.get(id=ids["run"])
        RunLogLine(tenant=aamu, run=run, level="info", code="started", values={}).save(force_insert=True)
    return ids


def too_wide(page: Page, addresses: list[str]) -> dict[str, str]:
    found = {}
    for address in addresses:
        page.goto(address)
        excess = page.evaluate(EXCESS)
        if excess:
            found[address] = excess
    return found


@pytest.mark.parametrize("width", WIDTHS.values(), ids=list(WIDTHS))
def test_no_page_of_a_customer_is_wider_than_its_window(
    width: int,
    enter: Callable[..., Page],  # noqa: F811
    alice: Any,
    ids: dict[str, Any],
) -> None:
    membership = joined_as_other(ids)
    assert too_wide(enter(None, width), SIGNED_OUT) == {}
    pages = [
        address.url("aamu", {**ids, "membership": membership})
        for address in ADDRESSES
        if address.method == "get" and not address.name.endswith("_poll")
    ]
    assert len(pages) > 15
    assert too_wide(enter(alice, width), [*pages, *OWN]) == {}


def joined_as_other(ids: dict[str, Any]) -> Any:
    from portal.members.models import Membership

    return Membership.objects.exclude(id=ids["membership"]).get(user__name="Olga Ojala").id


@pytest.mark.parametrize("width", WIDTHS.values(), ids=list(WIDTHS))
def test_no_page_of_staff_is_wider_than_its_window(
    width: int,
    enter: Callable[..., Page],  # noqa: F811
    ada: Any,
    ids: dict[str, Any],
) -> None:
    assert RequestLogEntry is not None
    pages = [reverse("admin:index"), f"{reverse('admin:search')}?q=aamu"]
    for model in admin.site._registry:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        pages.append(reverse(f"{name}_changelist"))
        newest = model._default_manager.values_list("pk", flat=True).first()
        if newest is not None:
            pages.append(reverse(f"{name}_change", args=[newest]))
    for name in ("tenancy_tenant_add", "members_user_add", "vault_clientregistration_add"):
        try:
            pages.append(reverse(f"admin:{name}"))
        except NoReverseMatch:
            continue
    assert len(pages) > 15
    assert too_wide(enter(ada, width), pages) == {}
