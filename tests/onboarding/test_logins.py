"""Signing in at a provider and coming back: one exchange per login, nothing sent for what is not ours, words on the list."""

from __future__ import annotations

import hashlib
import html
import re
import threading
from base64 import urlsafe_b64encode
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection as database
from django.db import connections as databases
from django.test import Client as DjangoClient
from django.utils import timezone

from connections.tenancy.models import Lookup
from connections.transport.models import AuthorizationAttempt, RequestLogEntry
from connections.transport.oauth.authorization import MESSAGES
from connections.vault.models import Connection
from portal.members.models import Membership
from tests.onboarding.conftest import CLIENT_SECRET, Signer, mark
from tests.roles import acting_as
from tests.signing import CODE, House, callback, offer, parameters, signing_provider

pytestmark = pytest.mark.usefixtures("committed_db")

SENT_ON = 302


def test_the_whole_way_there_and_back(signer: Signer, signing: House) -> None:
    address = signer.address()
    query = parameters(address)
    assert address.startswith(f"{signing.server.address}/login?")
    assert query["redirect_uri"] == callback()
    assert (query["client_id"], query["scope"], query["code_challenge_method"]) == ("client-1", "read", "S256")
    assert len(query["state"]) >= 43
    assert signing.server.asked == []

    answer = signer.come_back(state=query["state"], code="code-canary-77")
    assert answer.status_code == SENT_ON
    assert answer.headers["Location"] == f"{signer.checklist}login/#step-login"
    waiting = signer.page()
    assert 'id="exchanging"' in waiting
    news = re.findall(r'hx-get="([^"]+)"', waiting)[0].replace("&amp;", "&")
    assert signer.client.get(news).status_code == 204

    signer.work_off()
    page = signer.client.get(news).content.decode()
    assert 'id="exchanging"' not in page
    assert "hx-get" not in page
    assert mark(signer) == "verified"
    [form] = signing.forms("/oauth/token")
    assert (form["grant_type"], form["code"], form["redirect_uri"]) == (
        "authorization_code",
        "code-canary-77",
        callback(),
    )
    challenge = urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).decode().rstrip("=")
    assert challenge == query["code_challenge"]
    entry = RequestLogEntry.objects.get(operation="token.code")
    assert (entry.checkpoint, entry.status) == ("login", 200)


def test_the_page_in_between_is_ours_and_leaves_no_trace(signer: Signer, signing: House) -> None:
    answer = signer.press()
    assert answer.status_code == 200
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "no-store" in answer.headers["Cache-Control"]
    assert "form-action 'self'" in answer.headers["Content-Security-Policy"]
    page = answer.content.decode()
    assert f"127.0.0.1:{signing.server.port}</code>" in page
    assert page.count("state=") == 1
    assert "<form" not in page


@pytest.mark.parametrize("error", ["", "access_denied"])
def test_every_answer_of_the_way_back_keeps_its_address_to_itself(error: str, signer: Signer, client: Any) -> None:
    good = parameters(signer.address())["state"]
    answers = [
        client.get("/callback/procountor/", {"state": good, "code": "c"}),
        signer.come_back(),
        signer.come_back(state="nobody-knows-it", code="c"),
        signer.come_back(state=good, code="c", error=error),
    ]
    assert [answer.status_code for answer in answers] == [403, 400, 400, SENT_ON]
    for answer in answers:
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert "no-store" in answer.headers["Cache-Control"]
        assert not re.search(rb'(src|href|action)="(https?:)?//', answer.content)


def test_nothing_that_opens_anything_is_kept_or_told(
    signer: Signer, signing: House, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    state = parameters(signer.address())["state"]
    signer.come_back(state=state, code="code-canary-77")
    pages = [signer.page()]
    signer.work_off()
    verifier = signing.forms("/oauth/token")[0]["code_verifier"]
    pages += [signer.page(), signer.client.get(f"/t/aamu/c/{signer.connection.id}/").content.decode()]
    ours = "\n".join(record.getMessage() for record in caplog.records if not record.name.startswith("django.db"))
    secrets = (state, "code-canary-77", verifier, "access-canary-0001", "refresh-canary-0001", CLIENT_SECRET)
    for secret in secrets:
        assert not any(secret in page for page in pages)
        assert secret not in ours
    with database.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        for (table,) in cursor.fetchall():
            for secret in secrets:
                cursor.execute(f'SELECT count(*) FROM "{table}" t WHERE t::text LIKE %s', [f"%{secret}%"])
                assert cursor.fetchone() == (0,), table


def refused(name: str, signer: Signer, sign_in: Any, bob: Any, charlie: Any) -> Any:
    """The answer to a way back that is not this person's to use, or not any more."""
    state = parameters(signer.address())["state"]
    brought = {"state": state, "code": "c"}
    at = "/callback/procountor/"
    match name:
        case "unknown":
            return signer.come_back(state="x" * 43, code="c")
        case "another person":
            return sign_in(bob).get(at, brought)
        case "another tenant":
            return sign_in(charlie).get(at, brought)
        case "another session":
            from portal.members.models import User

            return sign_in(User.objects.get(email="alice@aamu.example")).get(at, brought)
        case "too old":
            AuthorizationAttempt.objects.update(started_at=timezone.now() - timedelta(minutes=11))
        case "only a viewer by now":
            Membership.objects.filter(user__email="alice@aamu.example").update(role="viewer")
        case "disconnected since":
            Connection.objects.update(state="disconnected")
        case "used, and another session":
            from portal.members.models import User

            signer.come_back(**brought, error="access_denied")
            return sign_in(User.objects.get(email="alice@aamu.example")).get(at, brought)
        case "used, and another person":
            signer.come_back(**brought, error="access_denied")
            return sign_in(bob).get(at, brought)
        case "used, and disconnected since":
            signer.come_back(**brought, error="access_denied")
            Connection.objects.update(state="disconnected")
        case "used, and only a viewer by now":
            signer.come_back(**brought, error="access_denied")
            Membership.objects.filter(user__email="alice@aamu.example").update(role="viewer")
        case "used when it was too old":
            AuthorizationAttempt.objects.update(started_at=timezone.now() - timedelta(minutes=11))
            signer.come_back(**brought)
        case "state twice":
            return signer.client.get(f"{at}?state={state}&state={state}&code=c")
        case "code twice":
            return signer.client.get(f"{at}?state={state}&code=c&code=d")
    return signer.come_back(**brought)


REFUSED = [
    "unknown",
    "another person",
    "another tenant",
    "another session",
    "too old",
    "only a viewer by now",
    "disconnected since",
    "used, and another session",
    "used, and another person",
    "used, and disconnected since",
    "used, and only a viewer by now",
    "used when it was too old",
    "state twice",
    "code twice",
]


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_used_has_one_answer_and_sends_nothing(
    name: str, signer: Signer, signing: House, sign_in: Any, bob: Any, charlie: Any
) -> None:
    expected = signer.come_back(state="never-seen", code="c")
    answer = refused(name, signer, sign_in, bob, charlie)
    assert (answer.status_code, answer.content) == (400, expected.content)
    signer.work_off()
    assert signing.server.asked == []
    assert not AuthorizationAttempt.objects.filter(state__in=("received", "exchanged")).exists()


@pytest.mark.parametrize("is_done", [False, True])
@pytest.mark.parametrize(
    "again", [{"code": "code-canary-77"}, {"code": "of somebody else"}, {"error": "access_denied"}]
)
def test_a_way_back_that_is_opened_twice_leads_to_the_same_place(
    signer: Signer, signing: House, again: dict[str, str], is_done: bool
) -> None:
    """By a press on "back", a browser that restores its tabs, or one that fetched it ahead without saying so."""
    state = parameters(signer.address())["state"]
    first = signer.come_back(state=state, code="code-canary-77")
    if is_done:
        signer.work_off()
    second = signer.come_back(state=state, **again)
    assert (second.status_code, second.headers["Location"]) == (SENT_ON, first.headers["Location"])
    signer.work_off()
    assert mark(signer) == "verified"
    [form] = signing.forms("/oauth/token")
    assert form["code"] == "code-canary-77"
    assert "cannot be used" not in signer.page()


def test_what_was_refused_the_first_time_leads_to_its_words_again(signer: Signer, signing: House) -> None:
    state = parameters(signer.address())["state"]
    for brought in ({"error": "access_denied"}, {"code": "c"}):
        assert signer.come_back(state=state, **brought).status_code == SENT_ON
    signer.work_off()
    assert str(MESSAGES["access_denied"]) in html.unescape(signer.page())
    assert signing.server.asked == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Purpose": "prefetch"},
        {"Sec-Purpose": "prefetch;prerender"},
        {"Purpose": "prefetch"},
        {"X-Moz": "prefetch"},
        {"X-Purpose": "preview"},
    ],
)
def test_a_way_back_that_is_fetched_ahead_uses_nothing(
    signer: Signer, signing: House, headers: dict[str, str]
) -> None:
    state = parameters(signer.address())["state"]
    brought = {"state": state, "code": "code-canary-77"}
    ahead = signer.client.get("/callback/procountor/", brought, headers=headers)
    assert (ahead.status_code, ahead.content) == (204, b"")
    assert "no-store" in ahead.headers["Cache-Control"]
    assert signer.client.head("/callback/procountor/", brought).status_code == 405
    assert AuthorizationAttempt.objects.get().consumed_at is None
    assert signer.come_back(**brought).status_code == SENT_ON
    signer.work_off()
    assert mark(signer) == "verified"


def test_states_of_long_ago_are_forgotten_when_a_new_login_begins(signer: Signer) -> None:
    used, unused = (parameters(signer.address())["state"] for _ in range(2))
    signer.come_back(state=used, error="access_denied")
    AuthorizationAttempt.objects.update(started_at=timezone.now() - timedelta(minutes=11))
    signer.address()
    assert Lookup.objects.filter(purpose="login").count() == 1
    assert signer.come_back(state=used, code="c").status_code == 400
    assert signer.come_back(state=unused, code="c").status_code == 400


def test_too_late_is_told_on_the_list(signer: Signer) -> None:
    state = parameters(signer.address())["state"]
    AuthorizationAttempt.objects.update(started_at=timezone.now() - timedelta(minutes=11))
    signer.come_back(state=state, code="c")
    signer.work_off()
    assert "longer than 10 minutes" in signer.page()
    assert mark(signer) == "open"


def test_a_provider_nobody_knows_has_no_way_back(signer: Signer) -> None:
    assert signer.client.get("/callback/nobody/", {"state": "s", "code": "c"}).status_code == 404


def test_a_state_of_one_provider_is_of_no_use_at_another(
    signer: Signer, signing: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = parameters(signer.address())["state"]
    offer(monkeypatch, replace(signing_provider(), slug="another"))
    answer = signer.client.get("/callback/another/", {"state": state, "code": "c"})
    assert answer.status_code == 400
    signer.work_off()
    assert signing.server.asked == []


@pytest.mark.parametrize("promised", [True, False])
def test_a_missing_state_is_named(
    promised: bool, signer: Signer, signing: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = replace(CODE, state_promised=promised)
    provider = signing_provider()
    offer(monkeypatch, replace(provider, grants=(provider.grants[0], code)))
    answer = signer.come_back(code="code-canary-77")
    page = answer.content.decode()
    assert answer.status_code == 400
    assert "without the mark that we gave along" in page
    assert ('id="broken-assumption"' in page) is not promised
    assert "code-canary-77" not in page
    signer.work_off()
    assert signing.server.asked == []


def test_who_is_not_signed_in_is_asked_to_and_nothing_is_carried_along(
    client: Any, signer: Signer, signing: House
) -> None:
    state = parameters(signer.address())["state"]
    answer = client.get("/callback/procountor/", {"state": state, "code": "code-canary-77"})
    page = answer.content.decode()
    assert answer.status_code == 403
    assert 'href="/account/login/"' in page
    assert state not in page
    assert "code-canary-77" not in page
    assert AuthorizationAttempt.objects.get().consumed_at is None
    # The login is still good for whom it belongs to.
    assert signer.come_back(state=state, code="c").status_code == SENT_ON


@pytest.mark.parametrize(
    "error", ["access_denied", "server_error", "temporarily_unavailable", "invalid_scope", "<b>new"]
)
def test_an_error_of_the_provider_is_told_in_our_words(error: str, signer: Signer, signing: House) -> None:
    state = parameters(signer.address())["state"]
    description = "<script>alert(1)</script> call 555-0100"
    assert (
        signer.come_back(state=state, error=error, error_description=description, error_uri=description).status_code
        == SENT_ON
    )
    assert 'id="exchanging"' in signer.page()
    signer.work_off()
    page = signer.page()
    assert str(MESSAGES.get(error, MESSAGES["other-answer"])) in html.unescape(page)
    assert "555-0100" not in page
    assert "<b>new" not in page
    assert 'id="exchanging"' not in page
    assert mark(signer) == "open"
    assert signing.server.asked == []


def test_an_answer_of_another_server_is_not_used(signer: Signer, signing: House) -> None:
    no_address = ("127.0.0.1", "https://", "javascript:1", "https://[", f"https://me@127.0.0.1:{signing.server.port}")
    for issuer in ("https://evil.example", signing.server.address[:-1], signing.server.address + "1", *no_address):
        state = parameters(signer.address())["state"]
        signer.come_back(state=state, code="c", iss=issuer)
    signer.work_off()
    assert signing.server.asked == []
    assert set(AuthorizationAttempt.objects.values_list("reason_code", flat=True)) == {"other-issuer"}
    state = parameters(signer.address())["state"]
    signer.come_back(state=state, code="c", iss=signing.server.address)
    signer.work_off()
    assert mark(signer) == "verified"


def test_an_issuer_may_have_a_path_where_none_is_declared(signer: Signer, signing: House) -> None:
    """RFC 9207 2: an issuer is an address, with a path or without, at a host of its own or the token endpoint's."""
    for issuer in (f"{signing.server.address}/oidc/tenant-1", f"{signing.server.address}/", ""):
        signer.come_back(state=parameters(signer.address())["state"], code="c", iss=issuer)
        signer.work_off()
        assert AuthorizationAttempt.objects.latest("started_at").reason_code == "", issuer
    assert mark(signer) == "verified"


def test_a_declared_issuer_is_compared_as_it_is(signer: Signer, signing: House, settings: Any) -> None:
    declared = "https://login.provider.example/oidc"
    settings.SANDBOX_HOSTS = {slug: replace(hosts, issuer=declared) for slug, hosts in settings.SANDBOX_HOSTS.items()}
    for issuer in ("", f"{declared}/", "https://login.provider.example", signing.server.address, declared.upper()):
        signer.come_back(state=parameters(signer.address())["state"], code="c", iss=issuer)
        assert AuthorizationAttempt.objects.latest("started_at").reason_code == "other-issuer", issuer
    signer.work_off()
    assert signing.server.asked == []
    signer.come_back(state=parameters(signer.address())["state"], code="c", iss=declared)
    signer.work_off()
    assert mark(signer) == "verified"


def test_of_64_ways_back_at_once_one_is_used(signer: Signer, signing: House) -> None:
    state = parameters(signer.address())["state"]
    cookie = signer.client.cookies["session"].value
    barrier, answers = threading.Barrier(64), []

    def come_back() -> None:
        mine = DjangoClient()
        mine.cookies["session"] = cookie
        barrier.wait()
        try:
            answers.append(mine.get("/callback/procountor/", {"state": state, "code": "c"}).status_code)
        finally:
            databases.close_all()

    with acting_as("web"):
        threads = [threading.Thread(target=come_back) for _ in range(64)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert answers == [SENT_ON] * 64
    signer.work_off()
    assert len(signing.asked("/oauth/token")) == 1
