"""Seeds of second factors open for their person and row alone, also those that were sealed before that was so."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.utils import DatabaseError
from django.urls import reverse

from connections.vault.sealing import seal_for_web
from connections.vault.secret import Secret
from portal.members.models import LegacySeed
from portal.members.seeds import LEGACY_PLACE
from portal.rate_limits import database as rate_limits
from tests.conftest import PASSWORD, RoleClient
from tests.factors import SEED, code_of, with_totp
from tests.roles import acting_as

OWN_SEED = "KRSXG5CTMVRXEZLUKN2XAZLSKNSWG4TF"  # the attacker's, whose codes they know


def totp_of(user: Any) -> Authenticator:
    return Authenticator.objects.get(user=user, type=Authenticator.Type.TOTP)


def data_of(row: Authenticator) -> dict[str, Any]:
    """What stands in the table, as it stands there."""
    return dict(Authenticator.objects.filter(pk=row.pk).values_list("data", flat=True)[0])


def write(row: Authenticator, data: dict[str, Any]) -> None:
    Authenticator.objects.filter(pk=row.pk).update(data=data)


def accepts(user: Any, seed: str) -> bool:
    """Whether a code of that seed signs this person in."""
    browser = RoleClient()
    browser.post("/account/login/", {"login": user.email, "password": PASSWORD})
    browser.post(reverse("mfa_authenticate"), {"code": code_of(seed)})
    return "_auth_user_id" in browser.session


def legacy(seed: str) -> str:
    return base64.b64encode(seal_for_web(LEGACY_PLACE, Secret(seed))).decode()


def as_before_the_upgrade(row: Authenticator, seed: str, field: str = "secret") -> str:
    """The row with its seed sealed the old way, and the list as the migration writes it."""
    text = legacy(seed)
    write(row, {**data_of(row), field: text})
    digest = hashlib.sha256(text.encode()).hexdigest()
    LegacySeed.objects.create(authenticator_id=row.pk, user_id=row.user_id, digest=digest)
    return text


def test_a_seed_signs_its_person_in(alice: Any) -> None:
    with_totp(alice)
    assert SEED not in str(data_of(totp_of(alice)))
    assert accepts(alice, SEED)
    assert not accepts(alice, OWN_SEED)


def test_a_seed_moved_to_somebody_else_is_refused(alice: Any, bob: Any, caplog: pytest.LogCaptureFixture) -> None:
    with_totp(alice)
    with_totp(bob, OWN_SEED)
    write(totp_of(alice), data_of(totp_of(bob)))
    assert not accepts(alice, OWN_SEED)
    assert not accepts(alice, SEED)
    assert "does not open where it stands" in caplog.text
    assert OWN_SEED not in caplog.text


def test_a_row_given_to_somebody_else_is_refused(alice: Any, bob: Any) -> None:
    with_totp(bob, OWN_SEED)
    Authenticator.objects.filter(user=bob).update(user=alice)
    assert not accepts(alice, OWN_SEED)


def test_a_seed_moved_to_another_field_or_row_of_the_same_person_is_refused(alice: Any) -> None:
    with_totp(alice, OWN_SEED)
    RecoveryCodes.activate(alice)
    codes = Authenticator.objects.get(user=alice, type=Authenticator.Type.RECOVERY_CODES)
    write(codes, {**data_of(codes), "seed": data_of(totp_of(alice))["secret"]})
    with pytest.raises(ValidationError):
        Authenticator.objects.get(pk=codes.pk).wrap().get_unused_codes()


@pytest.mark.parametrize("text", ["", "v2:", "v2:AAAA", "not base64 at all", "AAAA", SEED])
def test_what_was_never_sealed_is_no_seed(text: str, alice: Any) -> None:
    with_totp(alice)
    write(totp_of(alice), {"secret": text})
    assert not accepts(alice, SEED)


def test_a_text_that_was_read_from_no_row_does_not_open(alice: Any) -> None:
    from allauth.mfa.adapter import get_adapter

    with_totp(alice)
    stored = totp_of(alice).data["secret"]
    assert get_adapter().decrypt(stored) == SEED
    with pytest.raises(ValidationError):
        get_adapter().decrypt(str(stored) + "")


# -- from before -------------------------------------------------------------------------------------------------------


def forget_used_codes() -> None:
    with rate_limits.cursor() as cursor:
        cursor.execute("DELETE FROM rate_limits_cacheentry")


def test_an_old_seed_goes_on_working_and_is_bound_at_its_next_use(alice: Any) -> None:
    with_totp(alice)
    as_before_the_upgrade(totp_of(alice), SEED)
    assert accepts(alice, SEED)
    assert data_of(totp_of(alice))["secret"].startswith("v2:")
    assert not LegacySeed.objects.exists()
    forget_used_codes()  # one is not taken twice; here only the seed matters
    assert accepts(alice, SEED)


def test_old_recovery_codes_go_on_working_and_keep_which_were_used(alice: Any) -> None:
    with_totp(alice)
    row = RecoveryCodes.activate(alice).instance
    codes = Authenticator.objects.get(pk=row.pk).wrap().generate_codes()
    from allauth.mfa.adapter import get_adapter

    seed = get_adapter().decrypt(row.data["seed"])
    as_before_the_upgrade(row, seed, "seed")
    with acting_as("web"), transaction.atomic():
        assert Authenticator.objects.get(pk=row.pk).wrap().validate_code(codes[0])
    assert data_of(row)["seed"].startswith("v2:")
    assert data_of(row)["used_mask"] == 1
    fresh = Authenticator.objects.get(pk=row.pk).wrap()
    assert not fresh.validate_code(codes[0])
    assert fresh.validate_code(codes[1])


def test_an_old_seed_is_not_taken_for_another_person(alice: Any, bob: Any) -> None:
    with_totp(alice)
    with_totp(bob, OWN_SEED)
    as_before_the_upgrade(totp_of(alice), SEED)
    text = as_before_the_upgrade(totp_of(bob), OWN_SEED)
    write(totp_of(alice), {"secret": text})
    assert not accepts(alice, OWN_SEED)
    assert LegacySeed.objects.count() == 2


def test_an_old_seed_is_not_taken_once_its_row_is_bound(alice: Any) -> None:
    with_totp(alice)
    text = as_before_the_upgrade(totp_of(alice), SEED)
    assert accepts(alice, SEED)
    write(totp_of(alice), {"secret": text})
    forget_used_codes()
    assert not accepts(alice, SEED)


@pytest.mark.parametrize("role", ["web", "worker", "staff"])
def test_nobody_but_the_migration_says_what_is_old(role: str, alice: Any) -> None:
    with acting_as(role), pytest.raises(DatabaseError), transaction.atomic():
        LegacySeed.objects.create(authenticator_id=1, user_id=alice.pk, digest="0" * 64)
    LegacySeed.objects.create(authenticator_id=1, user_id=alice.pk, digest="0" * 64)
    with acting_as(role), pytest.raises(DatabaseError), transaction.atomic():
        LegacySeed.objects.update(digest="1" * 64)
