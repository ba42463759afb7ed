"""The upgrade of people: invitations get their inviters, old seeds are listed, and everybody keeps what they had."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from django.db import connection as database
from django.utils import timezone

from connections.tenancy.models import AuditEvent
from connections.tenancy.scope import SYSTEM, tenant_scope
from portal.members.models import Invitation, LegacySeed, User
from portal.members.permissions import Role
from portal.members.services import invite
from tests.conftest import RoleClient, joined, person
from tests.factors import SEED, with_totp
from tests.members.test_seeds import accepts, legacy, totp_of

MIGRATION = importlib.import_module("portal.members.migrations.0004_inviters_seeds_and_rights")


def upgrade() -> None:
    """What the migration does with rows; its other half is checked by the catalogue's tests."""
    with database.cursor() as cursor:
        for statement in [*MIGRATION.INVITERS, MIGRATION.LEGACY_SEEDS]:
            cursor.execute(statement)


@pytest.fixture
def before(aamu: Any, alice: Any) -> Any:
    """Invitations as they were: a name, and no inviter."""

    def sent(by: Any, email: str) -> Invitation:
        with tenant_scope(aamu.id):
            invite(tenant=aamu, email=email, role=Role.VIEWER, actor=by, up_to=Role.OWNER)
        Invitation.objects.filter(email=email).update(inviter=None)
        return Invitation.objects.get(email=email)

    return sent


def test_inviters_are_those_who_the_trail_says(before: Callable[..., Invitation], aamu: Any, alice: Any) -> None:
    olga = joined(person("olga@aamu.example"), aamu, "owner")
    by_olga, by_house = before(olga.actor, "one@aamu.example"), before(SYSTEM, "two@aamu.example")
    User.objects.filter(pk=olga.pk).update(email="olga@new.example")
    User.objects.filter(pk=alice.pk).update(email="olga@aamu.example")  # the text would say alice
    upgrade()
    by_olga.refresh_from_db()
    by_house.refresh_from_db()
    assert by_olga.inviter_id == olga.pk
    assert (by_house.inviter_id, by_house.revoked_at) == (None, None)


def test_what_the_trail_does_not_tell_is_found_by_address_or_withdrawn(
    before: Callable[..., Invitation], aamu: Any, alice: Any
) -> None:
    EmailAddress.objects.create(user=alice, email="second@aamu.example", verified=True)
    known, second, unknown = (before(alice.actor, f"{name}@aamu.example") for name in ("one", "two", "three"))
    AuditEvent.objects.filter(action="member.invited").delete()
    Invitation.objects.filter(pk=second.pk).update(invited_by="second@aamu.example")
    Invitation.objects.filter(pk=unknown.pk).update(invited_by="gone@aamu.example")
    upgrade()
    for row in (known, second, unknown):
        row.refresh_from_db()
    assert (known.inviter_id, second.inviter_id, unknown.inviter_id) == (alice.pk, alice.pk, None)
    assert (known.revoked_at, second.revoked_at) == (None, None)
    assert unknown.revoked_at is not None


def test_what_was_accepted_stays_as_it_is(before: Callable[..., Invitation], alice: Any) -> None:
    row = before(alice.actor, "one@aamu.example")
    AuditEvent.objects.all().delete()
    Invitation.objects.update(invited_by="gone@aamu.example", accepted_at=timezone.now())
    upgrade()
    row.refresh_from_db()
    assert row.revoked_at is None


def test_old_second_factors_sign_their_people_in_after_the_upgrade(alice: Any, bob: Any) -> None:
    for user in (alice, bob):
        with_totp(user)
        Authenticator.objects.filter(user=user).update(data={"secret": legacy(SEED)})
    codes = RecoveryCodes.activate(bob).instance
    data = {"seed": legacy("00ff" * 20), "migrated_codes": [legacy("12345678")], "used_mask": 3}
    Authenticator.objects.filter(pk=codes.pk).update(data=data)
    upgrade()
    assert LegacySeed.objects.count() == 4
    assert accepts(alice, SEED)
    assert accepts(bob, SEED)
    assert Authenticator.objects.get(pk=codes.pk).wrap().get_unused_codes() == ["12345678"]
    assert LegacySeed.objects.count() == 1  # the seed that migrated codes stand in for was not read
    assert totp_of(bob).data["secret"].startswith("v2:")


def test_a_session_from_before_the_upgrade_goes_on(sign_in: Callable[..., RoleClient], alice: Any) -> None:
    """Nothing of it changed: the epoch is 0, and the limits begin with the first page."""
    client = sign_in(alice)
    session = client.session
    for key in ("members_started_at", "members_active_at"):
        session.pop(key, None)
    session.save()
    assert client.get("/t/aamu/").status_code == 200
    assert client.session["members_started_at"]
