"""Both audit trails for staff, and what staff do as lines of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from connections.tenancy.models import AuditEvent, SystemAuditEvent
from connections.vault.secret import Secret
from tests.support.conftest import House
from tests.support.pages import Page
from tests.support.test_who_may import LISTS, of

SYSTEM_LIST = "admin:tenancy_systemauditevent_changelist"


@pytest.fixture
def support(dana: Any, sign_in: Callable[..., Any]) -> Any:
    return sign_in(dana)


def events_of(action: str) -> list[tuple[str, dict[str, Any]]]:
    events = SystemAuditEvent.objects.filter(action=action).order_by("happened_at")
    return [(event.subject, event.details) for event in events]


# -- what staff do -----------------------------------------------------------------------------------------------------


def test_every_row_that_staff_open_is_told(house: House, support: Any, dana: Any) -> None:
    pages = {name: of(house, what) for name, what in LISTS.items() if what}
    for name, key in pages.items():
        assert support.get(reverse(f"admin:{name}_change", args=[key])).status_code == 200
    opened = {subject for subject, _ in events_of("staff.opened")}
    assert opened == {f"{name.replace('_', '.', 1)} {key}" for name, key in pages.items()}
    assert set(SystemAuditEvent.objects.filter(action="staff.opened").values_list("actor_id", flat=True)) == {dana.pk}


def test_a_row_that_is_not_there_was_not_opened(house: House, support: Any) -> None:
    support.get(reverse("admin:calls_call_change", args=["00000000-0000-0000-0000-000000000007"]))
    assert events_of("staff.opened") == []


@pytest.mark.parametrize("place", ["search", "tenancy_tenant_changelist", "transport_requestlogentry_changelist"])
def test_what_staff_search_for_is_kept(house: House, support: Any, place: str) -> None:
    support.get(reverse(f"admin:{place}"), {"q": "Aamu"})
    [(_, details)] = events_of("staff.searched")
    assert details == {"page": place, "asked": {"q": "Aamu"}}
    assert events_of("staff.opened") == []


def test_a_list_without_a_question_is_told_as_well(house: House, support: Any) -> None:
    support.get(reverse("admin:members_user_changelist"))
    assert events_of("staff.listed") == [("members.user", {"page": "members_user_changelist"})]


@pytest.mark.parametrize("method", ["get", "head", "post"])
def test_a_list_is_told_by_whatever_method_it_was_asked_for(house: House, support: Any, method: str) -> None:
    getattr(support, method)(reverse("admin:members_user_changelist"))
    assert len(events_of("staff.listed")) == 1


def test_a_page_behind_a_button_is_told_with_its_row(house: House, ada: Any, sign_in: Callable[..., Any]) -> None:
    assert sign_in(ada).post(reverse("admin:tenancy_tenant_suspend", args=[house.tenant.id])).status_code == 200
    assert events_of("staff.opened") == [(f"tenancy.tenant {house.tenant.id}", {"page": "tenancy_tenant_suspend"})]


def test_no_secret_that_is_searched_for_is_kept(house: House, support: Any) -> None:
    live = Secret("canary-of-a-live-key-2b6f")
    live.reveal()
    for typed in ("canary-of-a-live-key-2b6f", "api_key=canary-of-a-named-key", "x" * 9000):
        support.get(reverse("admin:search"), {"q": typed})
    texts = [details["asked"]["q"] for _, details in events_of("staff.searched")]
    assert "canary" not in str(texts)
    assert len(texts[2]) == 500


def test_what_is_refused_is_neither_opened_nor_searched(house: House, support: Any) -> None:
    before = SystemAuditEvent.objects.count()
    support.get(reverse("admin:members_user_changelist"), {"password__regex": "a"})
    support.get(reverse("admin:tenancy_tenant_add"))
    assert SystemAuditEvent.objects.count() == before


def test_who_was_made_staff_is_told_with_the_value(ada: Any, alice: Any, sign_in: Callable[..., Any]) -> None:
    page = reverse("admin:members_user_change", args=[alice.pk])
    sign_in(ada).post(page, {"name": alice.name, "staff_role": "support"})
    [(subject, details)] = events_of("staff.role_changed")
    assert (subject, details) == (alice.email, {"person": alice.pk, "before": "", "after": "support"})
    [(_, details)] = events_of("staff.switched_off")
    assert details == {"person": alice.pk}
    assert set(
        SystemAuditEvent.objects.filter(action__startswith="staff.switched").values_list("actor_id", flat=True)
    ) == {ada.pk}


# -- what staff read ---------------------------------------------------------------------------------------------------


def test_the_trail_is_narrowed_by_person_action_and_day(house: House, support: Any, alice: Any) -> None:
    old = timezone.now().replace(hour=12) - timedelta(days=40)  # the same day in the reader's zone
    for action, name, at in (("session.signed_in", alice.email, old), ("session.password_failed", "Pilotage", old)):
        SystemAuditEvent(action=action, actor_name=name, subject="planted", happened_at=at).save(force_insert=True)

    def rows(**query: str) -> list[str]:
        page = Page(support.get(reverse(SYSTEM_LIST), query, follow=True).content)
        return [row for row in page.rows if "planted" in row]

    assert len(rows()) == 2
    assert len(rows(person=alice.email.upper())) == 1
    assert len(rows(person=alice.email)) == 1
    assert len(rows(action="session")) == 2
    assert len(rows(action="session.password_failed")) == 1
    assert len(rows(day=f"{old:%Y-%m-%d}")) == 2
    assert rows(day="2001-01-01") == []
    assert len(rows(day="nonsense")) == 2


def test_a_tenants_trail_is_narrowed_in_the_same_ways(house: House, support: Any, alice: Any) -> None:
    address = reverse("admin:tenancy_auditevent_changelist")
    page = Page(support.get(address, {"person": alice.email, "action": "connection"}).content)
    assert [row for row in page.rows if alice.email in row and "connection." in row]
    assert not [row for row in page.rows if "member.invited" in row]
    assert AuditEvent.objects.filter(action="member.invited").exists()


def test_a_long_trail_is_paged_by_where_the_last_page_ended(house: House, support: Any) -> None:
    for number in range(60):
        SystemAuditEvent(action="planted", subject=f"n{number:03}").save(force_insert=True)
    first = Page(support.get(reverse(SYSTEM_LIST), {"action": "planted"}).content)
    second = Page(support.get(reverse(SYSTEM_LIST) + first.links["Older"]).content)
    numbers = [row.split()[-1] for page in (first, second) for row in page.rows if "planted" in row]
    assert len(numbers) == 60
    assert len({row for page in (first, second) for row in page.rows if "planted" in row}) == 60


def test_whose_a_refused_id_is_stands_on_the_events_page(
    house: House, support: Any, charlie: Any, sign_in: Callable[..., Any]
) -> None:
    address = reverse("connection", args=["kaste", house.connection.id])
    assert sign_in(charlie).get(address).status_code == 404
    event = SystemAuditEvent.objects.get(action="access.refused")
    page = Page(support.get(reverse("admin:tenancy_systemauditevent_change", args=[event.pk])).content)
    assert "Kaste Oy" in page.links
    assert [text for text in page.links if "Aamun Kirjat" in text]
