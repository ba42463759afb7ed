"""Names are found by any part of them, without their accents, by an index; the box answers while somebody types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection as database
from django.urls import reverse

from connections.tenancy.models import SystemAuditEvent, Tenant
from connections.tenancy.scope import staff_scope
from connections.vault.models import Connection
from portal.incidents.models import Incident
from portal.members.models import User
from tests.roles import acting_as
from tests.support.conftest import House
from tests.support.pages import Page


@pytest.fixture
def typed(sign_in: Callable[..., Any], dana: Any) -> Callable[[str], Page]:
    """What the box answers while this stands in it."""
    browser = sign_in(dana)

    def answer(text: str) -> Page:
        response = browser.get(reverse("admin:search"), {"q": text}, headers={"HX-Request": "true"})
        assert response.status_code == 200
        assert b"<html" not in response.content
        return Page(response.content)

    return answer


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("Pohjois-Savon Kirjanpito Oy", "savon kirj"),
        ("Öljy ja Sähkö Oy", "oljy ja sahko"),
        ("Oljy Oy", "ÖLJY"),
        ("Công ty Kế toán Đông Á", "ke toan dong"),
        ("Ærø  Brød ApS", "aero brod"),
        ("Straße GmbH", "strasse"),
        ("شرکت حساب\u200cداری کاوه ۱۲", "حسابداري كاوه 12"),
        ("A & B 100%", "0%"),
        ("_x_", "_x"),
    ],
)
def test_a_name_is_found_by_a_part_without_its_accents(house: House, name: str, part: str) -> None:
    Tenant.objects.filter(pk=house.tenant.pk).update(name=name)
    assert Tenant.objects.filter(name__has_part=part).exists()


@pytest.mark.parametrize("part", ["savonk", "kirjap", "\u0301", "", "%irj", "k_rj"])
def test_what_does_not_stand_side_by_side_is_not_found(house: House, part: str) -> None:
    Tenant.objects.filter(pk=house.tenant.pk).update(name="Pohjois-Savon Kirjanpito Oy")
    assert not Tenant.objects.filter(name__has_part=part).exists()


@pytest.mark.parametrize(
    ("model", "column", "index"),
    [
        (Tenant, "name", "tenancy_tenant_name_parts"),
        (Connection, "company_name", "vault_connection_name_parts"),
        (User, "name", "members_user_name_parts"),
        (User, "email", "members_user_email_parts"),
    ],
)
def test_an_index_answers_for_staff(house: House, model: Any, column: str, index: str) -> None:
    """Behind row security, too: the staff's policy does not stand between the condition and the index."""
    rows = model.objects.order_by().filter(**{f"{column}__has_part": "irj"}).values_list("pk")
    with database.cursor() as cursor:
        cursor.execute("DROP INDEX tenancy_tenant_by_name")  # which a table of one row is walked by as well
    with acting_as("web"), staff_scope(), database.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_indexonlyscan = off")
        statement, values = rows.query.sql_with_params()
        cursor.execute(f"EXPLAIN {statement}", values)
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert index in plan, plan


def test_the_box_answers_while_somebody_types(house: House, typed: Callable[[str], Page]) -> None:
    page = typed("amun kir")
    assert any("Aamun Kirjat Oy" in text for text in page.links)
    assert reverse("admin:vault_connection_change", args=[house.connection.pk]) in page.addresses
    assert typed(str(house.job.pk)[:13]).addresses == [reverse("admin:jobs_job_change", args=[house.job.pk])]
    assert "Nothing goes by this yet." in typed("nobody is called that").text
    assert typed("a").text == ""


def test_more_than_a_few_answers_lead_to_all_of_them(house: House, typed: Callable[[str], Page]) -> None:
    Tenant.objects.bulk_create([Tenant(slug=f"t{number}", name=f"Tilitoimisto {number}") for number in range(12)])
    page = typed("tilitoimisto")
    assert len(page.addresses) == 9
    assert page.links["All that goes by this"] == f"{reverse('admin:search')}?q=tilitoimisto"


def test_an_incident_is_landed_on(house: House, sign_in: Callable[..., Any], dana: Any) -> None:
    run = house.run
    incident = Incident(
        tenant=house.tenant, connection=house.connection, cause="api-key-refused", responsible="customer",
        opened_at=run.queued_at, last_seen_at=run.queued_at, opened_by="run",
    )  # fmt: skip
    incident.save(force_insert=True)
    answer = sign_in(dana).get(reverse("admin:search"), {"q": f"Seen in incident {incident.pk}."})
    assert answer["Location"] == reverse("admin:incidents_incident_change", args=[incident.pk])


def test_what_is_typed_stands_in_the_audit_trail_once(house: House, typed: Callable[[str], Page]) -> None:
    for _ in range(5):
        typed("aamun")
    counts = sorted(each.details["count"] for each in SystemAuditEvent.objects.filter(action="staff.searched"))
    assert counts == [1, 2, 4], "the first, and each doubling within the hour"
