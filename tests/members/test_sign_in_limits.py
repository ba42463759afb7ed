"""Wrong passwords: counted per network and person, slower per person; the person's own browser stays a way in."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import time_machine
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.core import signing
from django.core.cache import cache
from django.utils import timezone

from portal.members import known_browser
from portal.rate_limits import limits
from tests.conftest import PASSWORD, RoleClient, joined, person

pytestmark = pytest.mark.django_db

Try = Callable[..., Any]


def code_for(secret: str) -> str:
    """The newest that is taken: a second call within half a minute gives one that is taken still."""
    return str(format_hotp_value(hotp_value(secret, list(yield_hotp_counters_from_time())[-1])))


LOGIN = "/account/login/"
# Smaller numbers than the real ones, in the same proportions.
HERE, EVERYWHERE, KNOWN = 2, 6, 3


@pytest.fixture(autouse=True)
def few(set_rates: Callable[..., None]) -> None:
    set_rates(limits.SIGN_IN, HERE, 30, EVERYWHERE)
    set_rates(limits.SIGN_IN_KNOWN_BROWSER, KNOWN)
    set_rates(limits.SIGN_IN_CODE, HERE, EVERYWHERE)


@pytest.fixture
def network() -> Callable[[], RoleClient]:
    """A browser at a network address of its own."""
    numbers = iter(range(1, 250))
    return lambda: RoleClient(REMOTE_ADDR=f"10.9.8.{next(numbers)}")


def enter(client: Any, who: str, password: str = PASSWORD) -> Any:
    return client.post(LOGIN, {"login": who, "password": password})


def guess(client: Any, who: str, times: int = 1) -> list[int]:
    return [enter(client, who, "wrong wrong wrong").status_code for _ in range(times)]


def flood(network: Callable[[], RoleClient], who: str) -> None:
    """As many wrong tries from everywhere as are judged at all."""
    for _ in range(EVERYWHERE // HERE):
        assert guess(network(), who, HERE) == [200] * HERE
    assert guess(network(), who) == [429]


def test_wrong_tries_from_one_network_lock_nobody_out_elsewhere(network: Callable[[], RoleClient], alice: Any) -> None:
    there = network()
    assert guess(there, alice.email, HERE + 2) == [200] * HERE + [429, 429]
    assert enter(there, alice.email).status_code == 429, "the right one is not judged either"
    assert enter(network(), alice.email).status_code == 302


def test_the_answer_says_which_limit_and_until_when_and_keeps_the_address(
    network: Callable[[], RoleClient], alice: Any
) -> None:
    there = network()
    guess(there, alice.email, HERE)
    answer = enter(there, alice.email, "wrong wrong wrong")
    page = answer.content.decode()
    assert "Too many tries to sign in went wrong." in page
    assert re.search(r"It is possible again from \d+ \w+ \d{4}, \d\d:\d\d UTC\.", page)
    assert f'value="{alice.email}"' in page
    assert "wrong wrong wrong" not in page
    assert 0 < int(answer.headers["Retry-After"]) <= 300


def test_tries_from_many_networks_are_stopped_but_in_a_browser_that_is_known(
    network: Callable[[], RoleClient], alice: Any
) -> None:
    own = network()
    assert enter(own, alice.email).status_code == 302
    own.post("/account/logout/")
    flood(network, alice.email)
    assert enter(network(), alice.email).status_code == 429
    assert enter(own, alice.email).status_code == 302


def test_a_known_browser_has_a_limit_too(network: Callable[[], RoleClient], alice: Any) -> None:
    own = network()
    enter(own, alice.email)
    own.post("/account/logout/")
    assert guess(own, alice.email, KNOWN + 1) == [200] * KNOWN + [429]


def test_a_browser_is_known_for_its_person_only(network: Callable[[], RoleClient], aamu: Any, alice: Any) -> None:
    mallory = joined(person("mallory@aamu.example"), aamu, "viewer")
    theirs = network()
    enter(theirs, mallory.email)
    theirs.post("/account/logout/")
    flood(network, alice.email)
    assert guess(theirs, alice.email) == [429]
    assert enter(theirs, mallory.email).status_code == 302


def test_one_browser_is_known_for_several_people(network: Callable[[], RoleClient], aamu: Any, alice: Any) -> None:
    bert = joined(person("bert@aamu.example"), aamu, "viewer")
    shared = network()
    for who in (alice, bert):
        enter(shared, who.email)
        shared.post("/account/logout/")
    flood(network, alice.email)
    assert enter(shared, alice.email).status_code == 302


@pytest.mark.parametrize("damage", ["", "x", "forged", "other salt"])
def test_a_cookie_that_we_did_not_sign_is_no_way_in(
    network: Callable[[], RoleClient], alice: Any, damage: str
) -> None:
    mine = {known_browser.key_of(alice): "number"}
    forged = {"forged": signing.dumps(mine, key="guessed", salt=known_browser.SALT), "other salt": signing.dumps(mine)}
    stranger = network()
    stranger.cookies[known_browser.COOKIE] = forged.get(damage, damage)
    flood(network, alice.email)
    assert guess(stranger, alice.email) == [429]


def test_it_is_forgotten_with_the_password(network: Callable[[], RoleClient], alice: Any) -> None:
    own = network()
    enter(own, alice.email)
    own.post("/account/logout/")
    alice.set_password("another long password")
    alice.save()
    flood(network, alice.email)
    assert enter(own, alice.email, "another long password").status_code == 429


def test_the_cookie_tells_nothing_and_is_out_of_scripts_reach(network: Callable[[], RoleClient], alice: Any) -> None:
    own = network()
    cookie = enter(own, alice.email).cookies[known_browser.COOKIE]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    content = str(signing.loads(cookie.value, salt=known_browser.SALT))
    assert alice.email not in content
    assert f"'{alice.pk}'" not in content


def test_an_address_that_nobody_has_answers_alike(network: Callable[[], RoleClient], alice: Any) -> None:
    def answers_for(who: str) -> list[tuple[int, str]]:
        client = network()
        answers = [enter(client, who, "wrong wrong wrong") for _ in range(HERE + 2)]
        pages = [answer.content.decode().replace(who, "WHO") for answer in answers]
        return [
            (answer.status_code, " ".join(re.findall(r"<ul class=\"errorlist.*?</ul>", page, re.S)))
            for answer, page in zip(answers, pages, strict=True)
        ]

    minutes = re.compile(r"\d\d:\d\d UTC")
    known, unknown = (
        [(status, minutes.sub("", text)) for status, text in answers_for(who)]
        for who in (alice.email, "x@nobody.example")
    )
    assert known == unknown
    assert known[-1][0] == 429


def test_right_passwords_do_not_count(network: Callable[[], RoleClient], alice: Any) -> None:
    office = network()
    for _ in range(HERE * 2):
        office.cookies.clear()
        assert enter(office, alice.email).status_code == 302


def test_a_new_password_opens_the_way_again(
    network: Callable[[], RoleClient], alice: Any, mailoutbox: list[Any]
) -> None:
    flood(network, alice.email)
    own, new = network(), {"password1": "nine slow boats at dusk", "password2": "nine slow boats at dusk"}
    own.post("/account/password/reset/", {"email": alice.email})
    link = re.search(r"http://[^/]+(/account/password/reset/key/\S+)", mailoutbox[0].body)
    assert link
    page = own.get(link[1], follow=True)
    own.post(page.redirect_chain[-1][0], new)
    assert enter(own, alice.email, "nine slow boats at dusk").status_code == 302


def test_a_used_code_is_not_taken_twice(network: Callable[[], RoleClient], alice: Any) -> None:
    from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret

    secret = generate_totp_secret()
    TOTP.activate(alice, secret)
    with time_machine.travel(timezone.now(), tick=False):  # a code ends within half a minute
        code, statuses = code_for(secret), []
        for client in (network(), network()):
            enter(client, alice.email)
            statuses.append(client.post("/account/2fa/authenticate/", {"code": code}).status_code)
    assert statuses == [302, 200]


@pytest.fixture
def with_codes(alice: Any) -> str:
    """Alice has a second factor; its seed."""
    from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret

    secret = generate_totp_secret()
    TOTP.activate(alice, secret)
    return secret


def later(who: Any, code: str) -> None:
    """Its marks are gone, as after a minute and a half."""
    cache.delete(f"allauth.mfa.totp.used?user={who.pk}&code={code}")
    cache.delete(f"members.used_code?user={who.pk}&code={code}")


def give(client: Any, code: str) -> int:
    return int(client.post("/account/2fa/authenticate/", {"code": code}).status_code)


def test_wrong_codes_by_whoever_has_the_password_shut_nobody_out(
    network: Callable[[], RoleClient], alice: Any, with_codes: str
) -> None:
    own = network()
    enter(own, alice.email)
    code = code_for(with_codes)
    assert give(own, code) == 302
    own.post("/account/logout/")
    judged = 0
    for _ in range(EVERYWHERE // HERE):
        thief = network()
        enter(thief, alice.email)
        judged += [give(thief, "000000") for _ in range(HERE + 1)].count(200)
    assert judged == EVERYWHERE
    thief = network()
    enter(thief, alice.email)
    answer = thief.post("/account/2fa/authenticate/", {"code": "000000"})
    assert answer.status_code == 429
    assert "Too many codes were wrong." in answer.content.decode()
    enter(own, alice.email)
    later(alice, code)
    assert give(own, code) == 302


def test_right_codes_do_not_count(network: Callable[[], RoleClient], alice: Any, with_codes: str) -> None:
    code = code_for(with_codes)
    for _ in range(HERE + 2):
        client = RoleClient(REMOTE_ADDR="10.1.1.1")
        enter(client, alice.email)
        assert give(client, code) == 302
        later(alice, code)
