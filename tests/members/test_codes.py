"""Codes of the second factor: half a minute off, in the digits of any script, and once only."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
import time_machine
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value

from portal.members.codes import normalize_code
from tests.conftest import PASSWORD, RoleClient
from tests.factors import SEED, with_totp

NOW = datetime(2026, 11, 30, 9, 0, 15, tzinfo=timezone.utc)
LOGIN, CODE = "/account/login/", "/account/2fa/authenticate/"


def code_at(at: datetime) -> str:
    return str(format_hotp_value(hotp_value(SEED, int(at.timestamp()) // 30)))


def give(who: Any, code: str) -> int:
    """302 where it is taken, 200 where it is not. Each from a browser of its own."""
    client = RoleClient()
    client.post(LOGIN, {"login": who.email, "password": PASSWORD})
    return int(client.post(CODE, {"code": code}).status_code)


@pytest.mark.django_db
@pytest.mark.parametrize(("seconds", "status"), [(-60, 200), (-30, 302), (0, 302), (30, 302), (60, 200)])
def test_a_clock_may_be_half_a_minute_off(alice: Any, seconds: int, status: int) -> None:
    with_totp(alice)
    with time_machine.travel(NOW, tick=False):
        assert give(alice, code_at(NOW + timedelta(seconds=seconds))) == status


@pytest.mark.django_db
@pytest.mark.parametrize("first", [-30, 0, 30])
def test_a_code_is_taken_once_for_as_long_as_it_would_be_right(alice: Any, first: int) -> None:
    """Used at the beginning of its minute and a half, it is refused until that is over."""
    with_totp(alice)
    code = code_at(NOW)
    with time_machine.travel(NOW + timedelta(seconds=first), tick=False):
        assert give(alice, code) == 302
    for seconds in (-30, 0, 30):
        if seconds >= first:
            with time_machine.travel(NOW + timedelta(seconds=seconds), tick=False):
                forget_allauths_mark(alice, code)
                assert give(alice, code) == 200, seconds


@pytest.mark.django_db
def test_a_used_code_is_called_used_and_not_wrong(alice: Any) -> None:
    with_totp(alice)
    with time_machine.travel(NOW, tick=False):
        assert give(alice, code_at(NOW)) == 302
        client = RoleClient()
        client.post(LOGIN, {"login": alice.email, "password": PASSWORD})
        page = client.post(CODE, {"code": code_at(NOW)}).content.decode()
    assert "This code was used already. Wait until your app shows the next one." in page


def forget_allauths_mark(who: Any, code: str) -> None:
    """It ends after half a minute of the database's clock, which no test moves."""
    from django.core.cache import cache

    cache.delete(f"allauth.mfa.totp.used?user={who.pk}&code={code}")


@pytest.mark.django_db
def test_the_code_that_set_the_factor_up_is_used_up_by_that(alice: Any, sign_in: Callable[..., RoleClient]) -> None:
    client = sign_in(alice)
    with time_machine.travel(NOW, tick=False):
        client.post("/account/reauthenticate/", {"password": PASSWORD})
        page = client.get("/account/2fa/totp/activate/").content.decode().replace("\n", " ")
        seed = re.search(r'id="authenticator_secret"[^>]*value="(\w+)"', page)
        assert seed
        code = str(format_hotp_value(hotp_value(seed[1], int(NOW.timestamp()) // 30)))
        assert client.post("/account/2fa/totp/activate/", {"code": f" {code[:3]} {code[3:]}"}).status_code == 302
        assert give(alice, code) == 200


PERSIAN, ARABIC, WIDE = (
    str.maketrans("0123456789", digits) for digits in ("۰۱۲۳۴۵۶۷۸۹", "٠١٢٣٤٥٦٧٨٩", "０１２３４５６７８９")
)


def spellings(code: str) -> list[str]:
    first, second = code[:3], code[3:]
    return [
        code.translate(PERSIAN),
        code.translate(ARABIC),
        code.translate(WIDE),
        f"{first} {second}",
        f"{first}\u00a0{second}",
        f"\u200f{first}\u202f{second}\u200e ",
        f"{first}-{second}",
        f"{first}\u2011{second}",
        f"\u200b{first}\ufeff{second}",
    ]


@pytest.mark.parametrize("typed", spellings("123456"))
def test_a_code_is_read_however_it_is_typed(typed: str) -> None:
    assert normalize_code(typed) == "123456"


@pytest.mark.django_db
@pytest.mark.parametrize("number", range(len(spellings("123456"))))
def test_a_code_is_taken_however_it_is_typed(alice: Any, number: int) -> None:
    with_totp(alice)
    with time_machine.travel(NOW, tick=False):
        assert give(alice, spellings(code_at(NOW))[number]) == 302
        assert give(alice, code_at(NOW)) == 200, "in another spelling it is the same code"


@pytest.mark.django_db
def test_a_recovery_code_is_taken_however_it_is_typed(alice: Any) -> None:
    with_totp(alice)
    first, second, third, *_others = RecoveryCodes.activate(alice).get_unused_codes()
    assert give(alice, first.translate(PERSIAN)) == 302
    assert give(alice, first) == 200
    assert give(alice, f"{second[:4]}\u00a0{second[4:]}") == 302
    assert give(alice, third) == 302
