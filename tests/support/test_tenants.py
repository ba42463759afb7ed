"""What admins do with tenants: found, rename, suspend, reactivate, invite, withdraw, remove. All of it is on record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from connections.tenancy.models import AuditEvent, Tenant
from connections.vault.key_models import SystemKey, TenantKey
from connections.vault.models import Connection
from portal.members.models import Invitation, Membership
from portal.notices.models import OutgoingMail
from portal.support import services
from tests.support.conftest import House
from tests.support.pages import Page

LIST = "admin:tenancy_tenant_changelist"
NEW = {"name": "Routa Oy", "slug": "routa", "owner_email": "owner@routa.example"}


@pytest.fixture
def admins(sign_in: Callable[..., Any], ada: Any, settings: Any) -> Any:
    settings.EMAIL_BACKEND = "portal.notices.mail.QueuedBackend"
    return sign_in(ada)


def actions(tenant: Tenant) -> list[str]:
    return list(AuditEvent.objects.filter(tenant=tenant).order_by("happened_at").values_list("action", flat=True))


def page_of(tenant: Tenant) -> str:
    return reverse("admin:tenancy_tenant_change", args=[tenant.id])


# -- founding ----------------------------------------------------------------------------------------------------------


def test_a_tenant_is_founded_and_its_owner_invited(
    system_key: None, admins: Any, ada: Any, work_off: Callable[..., int]
) -> None:
    answer = admins.post(reverse("admin:tenancy_tenant_add"), NEW)
    assert answer.status_code == 302
    tenant = Tenant.objects.get(slug="routa")
    invitation = Invitation.objects.get(tenant=tenant)
    assert (invitation.email, invitation.role, invitation.invited_by) == ("owner@routa.example", "owner", ada.email)
    assert OutgoingMail.objects.count() == 1
    assert actions(tenant) == ["tenant.founded", "member.invited"]
    assert AuditEvent.objects.filter(tenant=tenant).first().actor_name == ada.email
    assert LogEntry.objects.get().object_id == str(tenant.id)
    work_off()
    tenant.refresh_from_db()
    assert tenant.state == "active"
    assert TenantKey.objects.filter(tenant=tenant).exists()


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"slug": "aamu"}, "already exists"),
        ({"slug": "with blank"}, "slug"),
        ({"owner_email": "nobody"}, "valid email"),
        ({"name": ""}, "required"),
    ],
)
def test_a_wrong_form_founds_nothing_and_keeps_what_was_typed(
    aamu: Any, admins: Any, wrong: dict[str, str], sentence: str
) -> None:
    answer = admins.post(reverse("admin:tenancy_tenant_add"), NEW | wrong)
    assert answer.status_code == 200
    page = answer.content.decode()
    assert sentence in page
    assert 'value="owner@routa.example"' in page or "owner_email" in wrong
    assert Tenant.objects.count() == 1


def test_without_the_houses_key_founding_says_what_to_do(db: None, admins: Any) -> None:
    assert not SystemKey.objects.exists()
    answer = admins.post(reverse("admin:tenancy_tenant_add"), NEW)
    assert "Start a worker" in answer.content.decode()
    assert not Tenant.objects.exists()


# -- changing ----------------------------------------------------------------------------------------------------------


def test_a_tenant_is_renamed_and_keeps_its_address(house: House, admins: Any) -> None:
    assert admins.post(page_of(house.tenant), {"name": "Aamu Group Oy", "slug": "other"}).status_code == 302
    house.tenant.refresh_from_db()
    assert (house.tenant.name, house.tenant.slug) == ("Aamu Group Oy", "aamu")
    event = AuditEvent.objects.get(action="tenant.renamed")
    assert event.details == {"before": "Aamu Oy", "after": "Aamu Group Oy"}


def test_the_same_name_again_is_not_worth_an_event(house: House, admins: Any) -> None:
    admins.post(page_of(house.tenant), {"name": "Aamu Oy"})
    assert "tenant.renamed" not in actions(house.tenant)


def test_suspending_asks_first_and_shuts_the_door(
    house: House, admins: Any, alice: Any, sign_in: Callable[..., Any]
) -> None:
    customer = sign_in(alice)
    address = reverse("admin:tenancy_tenant_suspend", args=[house.tenant.id])
    assert "Keep as it is" in admins.post(address).content.decode()
    house.tenant.refresh_from_db()
    assert house.tenant.state == "active"
    assert customer.get("/t/aamu/").status_code == 200
    assert admins.post(address, {"sure": "yes"}).status_code == 302
    house.tenant.refresh_from_db()
    assert house.tenant.state == "suspended"
    assert customer.get("/t/aamu/").status_code == 404
    assert "tenant.suspended" in actions(house.tenant)
    admins.post(reverse("admin:tenancy_tenant_reactivate", args=[house.tenant.id]))
    house.tenant.refresh_from_db()
    assert house.tenant.state == "active"
    assert customer.get("/t/aamu/").status_code == 200
    assert actions(house.tenant).count("tenant.reactivated") == 1


def test_several_are_suspended_at_once_after_a_question(house: House, kaste: Any, admins: Any) -> None:
    chosen = {"action": "suspend_chosen", "_selected_action": [str(house.tenant.id), str(kaste.id)]}
    page = admins.post(reverse(LIST), chosen).content.decode()
    assert "Kaste Oy" in page
    assert not Tenant.objects.filter(state="suspended").exists()
    admins.post(reverse(LIST), chosen | {"sure": "yes"})
    assert Tenant.objects.filter(state="suspended").count() == 2
    admins.post(reverse(LIST), chosen | {"action": "reactivate_chosen"})
    assert Tenant.objects.filter(state="active").count() == 2


def test_support_is_offered_no_action(house: House, sign_in: Callable[..., Any], dana: Any) -> None:
    support = sign_in(dana)
    assert "suspend_chosen" not in support.get(reverse(LIST)).content.decode()
    chosen = {"action": "suspend_chosen", "_selected_action": [str(house.tenant.id)], "sure": "yes"}
    support.post(reverse(LIST), chosen)
    house.tenant.refresh_from_db()
    assert house.tenant.state == "active"
    page = support.get(page_of(house.tenant)).content.decode()
    for word in ("Remove", "Withdraw", "Suspend", "Invite somebody", 'name="name"'):
        assert word not in page


def test_a_tenant_that_never_got_its_keys_waits_for_them_again(system_key: None, ada: Any) -> None:
    tenant = Tenant.objects.create(name="Routa Oy", slug="routa")
    assert services.suspend(tenant_id=tenant.id, actor=ada.actor)
    assert not services.suspend(tenant_id=tenant.id, actor=ada.actor)
    assert services.reactivate(tenant_id=tenant.id, actor=ada.actor)
    assert not services.reactivate(tenant_id=tenant.id, actor=ada.actor)
    tenant.refresh_from_db()
    assert tenant.state == "founded"


# -- its people --------------------------------------------------------------------------------------------------------


def test_somebody_is_invited(house: House, admins: Any) -> None:
    address = reverse("admin:tenancy_tenant_invite", args=[house.tenant.id])
    assert admins.post(address, {"email": "Olli@aamu.example", "role": "operator"}).status_code == 302
    assert Invitation.objects.filter(email="olli@aamu.example", role="operator").exists()
    assert "olli@aamu.example" in admins.get(page_of(house.tenant)).content.decode()


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ({"email": "nobody", "role": "viewer"}, "valid email"),
        ({"email": "alice@aamu.example", "role": "viewer"}, "member already"),
        ({"email": "olli@aamu.example", "role": "king"}, "not one of the available choices"),
    ],
)
def test_a_wrong_invitation_is_refused_at_its_field(
    house: House, admins: Any, typed: dict[str, str], sentence: str
) -> None:
    answer = admins.post(reverse("admin:tenancy_tenant_invite", args=[house.tenant.id]), typed)
    assert answer.status_code == 200
    page = answer.content.decode()
    assert sentence in page
    assert f'value="{typed["email"]}"' in page
    assert Invitation.objects.count() == 1


def test_an_invitation_is_withdrawn(house: House, admins: Any) -> None:
    admins.post(reverse("admin:tenancy_tenant_revoke", args=[house.tenant.id, house.invitation.id]))
    house.invitation.refresh_from_db()
    assert house.invitation.revoked_at is not None
    assert "invitation.revoked" in actions(house.tenant)


def test_a_member_is_removed_but_not_the_last_owner(house: House, bob: Any, admins: Any, sign_in: Any) -> None:
    membership = Membership.objects.get(user=bob)
    customer = sign_in(bob)
    assert customer.get("/t/aamu/").status_code == 200
    admins.post(reverse("admin:tenancy_tenant_remove", args=[house.tenant.id, membership.id]), {"sure": "yes"})
    assert not Membership.objects.filter(user=bob).exists()
    assert customer.get("/t/aamu/").status_code == 302  # that session has ended
    assert sign_in(bob).get("/t/aamu/").status_code == 404
    answer = admins.post(
        reverse("admin:tenancy_tenant_remove", args=[house.tenant.id, house.membership.id]),
        {"sure": "yes"},
        follow=True,
    )
    assert "last owner" in answer.content.decode()
    assert Membership.objects.count() == 1


def test_a_button_of_one_tenant_does_not_reach_into_another(house: House, kaste: Any, admins: Any) -> None:
    for name, key in (("remove", house.membership.id), ("revoke", house.invitation.id)):
        assert admins.post(reverse(f"admin:tenancy_tenant_{name}", args=[kaste.id, key])).status_code == 404
    assert Membership.objects.exists()


# -- the list ----------------------------------------------------------------------------------------------------------


def test_the_list_counts_in_the_one_query_however_many_there_are(house: House, bob: Any, admins: Any) -> None:
    admins.get(reverse(LIST))

    def count_queries() -> int:
        with CaptureQueriesContext(database) as queries:
            page = Page(admins.get(reverse(LIST)).content)
        [row] = [row for row in page.rows if "Aamu Oy" in row]
        assert "active Connections 1 Members 2" in row, "one connection, two members"
        return len(queries)

    few = count_queries()
    for number in range(30):
        Tenant.objects.create(name=f"Zz {number} Oy", slug=f"zz-{number}")
    assert count_queries() == few


def test_a_tenants_page_leads_to_the_connections_that_it_leaves_out(
    house: House, dana: Any, sign_in: Callable[..., Any]
) -> None:
    for number in range(55):
        name = f"Company {number:02}"
        Connection(tenant=house.tenant, provider="procountor", environment="test", company_name=name).save(
            force_insert=True
        )
    support = sign_in(dana)
    page = Page(support.get(reverse("admin:tenancy_tenant_change", args=[house.tenant.id])).content)
    listed = support.get(page.links["These are the newest; all connections of this tenant"])
    following = Page(
        support.get(reverse("admin:vault_connection_changelist") + Page(listed.content).links["Older"]).content
    )
    assert [row for row in following.rows if "Aamun Kirjat Oy" in row], "the oldest stands on the second page"
