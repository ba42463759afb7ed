"""Every staff address, asked by everybody: support looks, admins change, for all others there is nothing there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from connections.jobs.models import Job
from connections.tenancy.models import Tenant
from connections.vault.models import Connection
from portal.onboarding.models import Mark
from portal.support.models import ActionPlan, Visit
from tests.support.conftest import House

LISTS = {
    "tenancy_tenant": "tenant",
    "members_user": "membership.user",
    "tenancy_auditevent": "event",
    "tenancy_systemauditevent": "system_event",
    "vault_connection": "connection",
    "sync_syncrun": "run",
    "calls_call": "call",
    "transport_requestlogentry": "entry",
    "vault_clientregistration": "registration",
    "jobs_job": "job",
    "notices_outgoingmail": "mail",
    "support_actionplan": "",
    "incidents_incident": "",
    "incidents_outage": "",
    "transport_departure": "",
    "onboarding_handoff": "",
    "admin_logentry": "",
}
ADDED_BY_ADMINS = {"tenancy_tenant", "vault_clientregistration", "members_user"}
BUTTONS = {
    "tenancy_tenant_suspend": ("tenant",),
    "tenancy_tenant_reactivate": ("tenant",),
    "tenancy_tenant_invite": ("tenant",),
    "tenancy_tenant_revoke": ("tenant", "invitation"),
    "tenancy_tenant_remove": ("tenant", "membership"),
    "members_user_make_link": ("membership.user",),
    "members_user_revoke_link": ("membership.user",),
    "jobs_job_again": ("job",),
    "vault_connection_plain_http": ("connection",),
    "vault_connection_private_networks": ("connection",),
    "vault_connection_pause": ("connection",),
    "vault_connection_resume": ("connection",),
    "export_requests": (),
    "certification_ask": (),
    "certification_again": ("report",),
}
# Actions that support may set going, with what is sent along.
SUPPORT_BUTTONS: dict[str, tuple[str | int, ...]] = {
    "write_note": ("connection",),
    "act": ("sync", "connection"),
    "plan_set": ("sync",),
    "start_plan": ("run",),
    "stop_plan": ("run",),
    "start_visit": ("tenant",),
    "end_visit": (),
}
# Of a visit, missing outside one.
VISIT_PAGES: dict[str, tuple[str, ...]] = {
    "visit": (),
    "visit_records": ("connection", "invoices"),
    "visit_record": ("connection", "invoices"),
}
# Buttons for what is a person's own, which support presses as well.
OWN_BUTTONS: dict[str, tuple[int, ...]] = {"save_view": (), "forget_view": (1,)}
# What Django brings along, and what an admitted person gets there.
BROUGHT = {
    "index": 200,
    "search": 200,
    "what_breaks_next": 200,
    "certification": 200,
    "chain": 200,
    "health": 200,
    "faults": 200,
    "proofs": 200,
    "visits": 200,
    "funnels": 200,
    "login": 302,
    "logout": 302,
    "password_change": 302,
    "password_change_done": 302,
    "jsi18n": 200,
    "autocomplete": 403,
}


def of(house: House, what: str) -> Any:
    row: Any = house
    for part in what.split("."):
        row = getattr(row, part)
    return row.pk


def addresses(house: House) -> Iterator[tuple[str, str, int, int]]:
    """(name, address, status for support, status for an admin), all by GET."""
    for name, status in BROUGHT.items():
        yield name, reverse(f"admin:{name}"), status, status
    timeline = reverse("admin:connection_timeline", args=[house.connection.id])
    yield "connection_timeline", timeline, 200, 200
    checkpoint = Mark.objects.filter(onboarding__connection=house.connection).values_list("checkpoint", flat=True)[0]
    stuck = reverse("admin:stuck", args=["procountor", house.connection.auth_method, checkpoint])
    yield "stuck", stuck, 200, 200
    yield "fault", reverse("admin:fault", args=["api-key-refused"]), 200, 200
    yield "report", reverse("admin:certification_report", args=[house.report.pk]), 200, 200
    yield "report as JSON", reverse("admin:certification_json", args=[house.report.pk]), 200, 200
    yield "no report", reverse("admin:certification_report", args=[house.run.pk]), 404, 404
    yield "dossier", reverse("admin:dossier", args=[house.entry.pk]), 200, 200
    yield "dossier as text", reverse("admin:dossier_text", args=[house.entry.pk]), 200, 200
    yield "no dossier", reverse("admin:dossier", args=[house.run.pk]), 404, 404
    yield "no fault", reverse("admin:fault", args=["nothing-of-the-kind"]), 404, 404
    for app in sorted({name.partition("_")[0] for name in LISTS}):
        yield f"list of {app}", reverse("admin:app_list", args=[app]), 302, 302
    yield "unknown", "/admin/nothing/of/the/kind/", 404, 404
    yield "view on site", reverse("admin:view_on_site", args=[1, "1"]), 404, 404
    for name, what in LISTS.items():
        yield f"{name} list", reverse(f"admin:{name}_changelist"), 200, 200
        may_add = 200 if name in ADDED_BY_ADMINS else 403
        yield f"{name} add", reverse(f"admin:{name}_add"), 403, may_add
        if not what:
            continue
        key = of(house, what)
        yield f"{name} page", reverse(f"admin:{name}_change", args=[key]), 200, 200
        # Django's own: the list of what admins changed stands for the one, and nobody deletes.
        yield f"{name} history", f"{reverse(f'admin:{name}_change', args=[key])}../history/change/", 404, 404
        yield f"{name} delete", f"{reverse(f'admin:{name}_change', args=[key])}../delete/change/", 404, 404
    for name, what in BUTTONS.items():
        # A button is pressed, not visited.
        yield name, reverse(f"admin:{name}", args=[of(house, part) for part in what]), 403, 403
    for name, parts in SUPPORT_BUTTONS.items():
        keys = [part if part == "sync" else of(house, str(part)) for part in parts]
        yield name, reverse(f"admin:{name}", args=keys), 403, 403
    for name, of_visit in VISIT_PAGES.items():
        keys = [part if part == "invoices" else of(house, part) for part in of_visit]
        yield name, reverse(f"admin:{name}", args=keys), 404, 404
    for name, own_keys in OWN_BUTTONS.items():
        yield name, reverse(f"admin:{name}", args=own_keys), 403, 403


def test_support_and_admins_see_what_the_table_says(
    house: House, dana: Any, ada: Any, sign_in: Callable[..., Any]
) -> None:
    support, admins = sign_in(dana), sign_in(ada)
    wrong = []
    for name, address, for_support, for_admin in addresses(house):
        statuses = (support.get(address).status_code, admins.get(address).status_code)
        if statuses != (for_support, for_admin):
            wrong.append(f"{name} ({address}): {statuses} instead of {(for_support, for_admin)}")
    assert not wrong, "\n".join(wrong)


def test_for_a_customer_there_is_nothing_there(house: House, alice: Any, sign_in: Callable[..., Any]) -> None:
    customer = sign_in(alice)
    missing = customer.get("/no/such/page/").content
    for name, address, _, _ in addresses(house):
        for answer in (customer.get(address), customer.post(address)):
            assert answer.status_code == 404, name
            assert answer.content == missing, name


def test_nobody_gets_anything_without_signing_in(house: House, client: Any) -> None:
    for name, address, _, _ in addresses(house):
        for answer in (client.get(address), client.post(address)):
            assert answer.status_code == 302, name
            assert answer["Location"].startswith(reverse("account_login") + "?next=/admin/"), name


def test_support_presses_no_button(house: House, dana: Any, sign_in: Callable[..., Any]) -> None:
    support = sign_in(dana)
    for name, what in BUTTONS.items():
        address = reverse(f"admin:{name}", args=[of(house, part) for part in what])
        assert support.post(address, {"sure": "yes"}).status_code == 403, name
    for name, what in LISTS.items():
        if not what:
            continue
        page = reverse(f"admin:{name}_change", args=[of(house, what)])
        assert support.post(page, {"name": "Changed"}).status_code == 403, name
        assert support.post(reverse(f"admin:{name}_add"), {"name": "New"}).status_code == 403, name
    house.tenant.refresh_from_db()
    assert (house.tenant.name, house.tenant.state) == ("Aamu Oy", "active")


def test_the_table_has_every_address(house: House) -> None:
    """A page added without a line in the tables above fails here."""
    site = next(p for p in get_resolver().url_patterns if isinstance(p, URLResolver) and p.namespace == "admin")

    def names(patterns: list[Any]) -> Iterator[str]:
        for pattern in patterns:
            if isinstance(pattern, URLPattern):
                yield pattern.name or ""
            else:
                yield from names(pattern.url_patterns)

    listed = {
        *BROUGHT,
        *BUTTONS,
        *SUPPORT_BUTTONS,
        *VISIT_PAGES,
        *OWN_BUTTONS,
        "fault",
        "certification_report",
        "certification_json",
        "dossier",
        "dossier_text",
        "connection_timeline",
        "stuck",
        "app_list",
        "view_on_site",
        "",
    }
    for name in LISTS:
        listed |= {f"{name}_{kind}" for kind in ("changelist", "add", "change")}
    assert set(names(site.url_patterns)) == listed


def test_only_what_the_table_lists_is_registered() -> None:
    registered = {f"{model._meta.app_label}_{model._meta.model_name}" for model in admin.site._registry}
    assert registered == set(LISTS)


@pytest.mark.parametrize("who", ["dana", "ada"])
def test_a_sign_in_that_was_switched_off_opens_nothing(
    house: House, request: pytest.FixtureRequest, sign_in: Callable[..., Any], who: str
) -> None:
    user = request.getfixturevalue(who)
    browser = sign_in(user)
    type(user).objects.filter(pk=user.pk).update(is_active=False)
    assert browser.get(reverse("admin:index")).status_code == 302


@pytest.mark.parametrize("method", ["head", "put", "patch", "delete", "options"])
def test_by_any_other_method_there_is_nothing_for_customers_and_nothing_to_change_for_anybody(
    house: House, alice: Any, dana: Any, ada: Any, client: Any, sign_in: Callable[..., Any], method: str
) -> None:
    """Read with the tests above: every address, every method, everybody."""
    customer, support, admins = sign_in(alice), sign_in(dana), sign_in(ada)
    missing = getattr(customer, method)("/no/such/page/").content
    before = [model._default_manager.count() for model in (Tenant, Connection, Job, ActionPlan, Visit)]
    for name, address, _, _ in addresses(house):
        answer = getattr(customer, method)(address)
        assert (answer.status_code, answer.content) == (404, missing), name
        assert getattr(client, method)(address).status_code == 302, name
        if method != "head":
            for browser in (support, admins):
                assert getattr(browser, method)(address).status_code < 500, name
    assert [model._default_manager.count() for model in (Tenant, Connection, Job, ActionPlan, Visit)] == before


def test_a_visit_to_another_tenant_changes_no_answer_but_that_of_its_own_pages(
    house: House, kaste: Any, dana: Any, sign_in: Callable[..., Any]
) -> None:
    support = sign_in(dana)
    support.post(reverse("admin:start_visit", args=[kaste.id]), {"reason": "x", "ticket": "T-1", "minutes": "5"})
    assert Visit.objects.filter(tenant=kaste, ended_at=None).exists()
    for name, address, for_support, _ in addresses(house):
        expected = 200 if name == "visit" else for_support
        assert support.get(address).status_code == expected, name
