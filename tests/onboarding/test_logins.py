"""Signing in at a provider and coming back: one exchange per login, nothing sent for what is not ours, words on the list."""

from __future__ import annotations

import hashlib
import html
import re
import threading
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection as database
from django.db import connections as databases
from django.test import Client as DjangoClient
from django.utils import timezone

from connections.sync.models import Record, SyncRun, Trigger
from connections.sync.services import start_run
from connections.tenancy.models import Lookup
from connections.tenancy.scope import SYSTEM, tenant_scope
from connections.transport.authorization import WORDS
from connections.transport.models import AuthorizationAttempt, RequestLogEntry
from connections.vault.models import ClientRegistration, Connection, Credential, Grant
from connections.vault.services import Refused
from portal.members.models import Membership
from portal.onboarding.models import Evidence, Mark
from tests.onboarding.conftest import CLIENT_SECRET, Signer
from tests.roles import acting_as
from tests.signing import CODE, House, callback, offer, parameters, signing_provider

pytestmark = pytest.mark.usefixtures("committed_db")

SENT_ON = 302


def mark(signer: Signer) -> str:
    return Mark.objects.get(onboarding__connection=signer.connection, checkpoint=signer.step).state


def state_of(signer: Signer) -> tuple[str, str]:
    signer.connection.refresh_from_db()
    return signer.connection.state, signer.connection.fault


def test_the_whole_way_there_and_back(signer: Signer, signing: House) -> None:
    address = signer.address()
    sent = parameters(address)
    assert address.startswith(f"{signing.server.address}/login?")
    assert sent["redirect_uri"] == callback()
    assert (sent["client_id"], sent["scope"], sent["code_challenge_method"]) == ("client-1", "read", "S256")
    assert len(sent["state"]) >= 43
    assert signing.server.asked == []

    answer = signer.come_back(state=sent["state"], code="code-canary-77")
    assert answer.status_code == SENT_ON
    assert answer.headers["Location"] == f"{signer.checklist}login/#step-login"
    waiting = signer.page()
    assert 'id="exchanging"' in waiting
    news = re.findall(r'hx-get="([^"]+)"', waiting)[0].replace("&amp;", "&")
    assert signer.client.get(news).status_code == 204

    signer.work_off()
    found = signer.client.get(news).content.decode()
    assert 'id="exchanging"' not in found
    assert "hx-get" not in found
    assert mark(signer) == "verified"
    [form] = signing.forms("/oauth/token")
    assert (form["grant_type"], form["code"], form["redirect_uri"]) == (
        "authorization_code",
        "code-canary-77",
        callback(),
    )
    challenge = urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).decode().rstrip("=")
    assert challenge == sent["code_challenge"]
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
        case "used":
            signer.come_back(**brought, error="access_denied")
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
    "used",
    "state twice",
    "code twice",
]


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_used_has_one_answer_and_sends_nothing(
    name: str, signer: Signer, signing: House, sign_in: Any, bob: Any, charlie: Any
) -> None:
    wanted = signer.come_back(state="never-seen", code="c")
    answer = refused(name, signer, sign_in, bob, charlie)
    assert (answer.status_code, answer.content) == (400, wanted.content)
    signer.work_off()
    assert signing.server.asked == []
    assert not AuthorizationAttempt.objects.filter(state__in=("received", "exchanged")).exists()


def test_too_late_is_told_on_the_list(signer: Signer) -> None:
    state = parameters(signer.address())["state"]
    AuthorizationAttempt.objects.update(started_at=timezone.now() - timedelta(minutes=11))
    signer.come_back(state=state, code="c")
    signer.work_off()
    assert "longer than ten minutes" in signer.page()
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
    told = "<script>alert(1)</script> call 555-0100"
    assert signer.come_back(state=state, error=error, error_description=told, error_uri=told).status_code == SENT_ON
    assert 'id="exchanging"' in signer.page()
    signer.work_off()
    page = signer.page()
    assert str(WORDS.get(error, WORDS["other-answer"])) in html.unescape(page)
    assert "555-0100" not in page
    assert "<b>new" not in page
    assert 'id="exchanging"' not in page
    assert mark(signer) == "open"
    assert signing.server.asked == []


def test_an_answer_of_another_server_is_not_used(signer: Signer, signing: House) -> None:
    for issuer in ("https://evil.example", "127.0.0.1", signing.server.address[:-1], signing.server.address + "/api"):
        state = parameters(signer.address())["state"]
        signer.come_back(state=state, code="c", iss=issuer)
    signer.work_off()
    assert signing.server.asked == []
    assert set(AuthorizationAttempt.objects.values_list("word", flat=True)) == {"other-issuer"}
    state = parameters(signer.address())["state"]
    signer.come_back(state=state, code="c", iss=signing.server.address)
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
    assert sorted(answers) == [SENT_ON, *[400] * 63]
    signer.work_off()
    assert len(signing.asked("/oauth/token")) == 1
    assert not Lookup.objects.exists()


# -- what follows ------------------------------------------------------------------------------------------------------


def test_a_refused_exchange_is_told_where_it_belongs(signer: Signer, signing: House) -> None:
    signing.token_status, signing.token_body = 400, {"error": "invalid_grant"}
    signer.come_back(state=parameters(signer.address())["state"], code="c")
    signer.work_off()
    assert mark(signer) == "failing"
    page = signer.page()
    assert "The sign-in was refused." in page
    assert 'id="exchanging"' not in page
    assert len(signing.asked("/oauth/token")) == 1
    assert Evidence.objects.filter(mark__checkpoint="login").latest("at").entry_id is not None


def test_trouble_that_is_not_the_customers_leaves_the_mark_alone(signer: Signer, signing: House) -> None:
    signing.token_status = 503
    signer.come_back(state=parameters(signer.address())["state"], code="c")
    signer.work_off()
    assert mark(signer) == "open"
    assert "has trouble at the moment" in signer.page()


def test_a_login_for_another_company_is_recognised_before_anything_is_read(bound: Signer, signing: House) -> None:
    with tenant_scope(bound.connection.tenant_id):
        run = start_run(connection=bound.connection, trigger=Trigger.HAND, actor=SYSTEM)
    signing.company_id = 102
    bound.come_back(state=parameters(bound.address())["state"], code="c")
    # From here on nothing is read, although nobody knows yet which company it is.
    assert SyncRun.objects.get(id=run.id).state == "cancelled"
    assert state_of(bound) == ("broken", "company-unproven")
    with pytest.raises(Refused), tenant_scope(bound.connection.tenant_id):
        start_run(connection=bound.connection, trigger=Trigger.HAND, actor=SYSTEM)
    bound.work_off()
    assert mark(bound) == "failing"
    assert state_of(bound) == ("broken", "other-company")
    assert not signing.asked("/businesspartners")
    assert not Record.objects.exists()
    assert SyncRun.objects.count() == 1

    signing.company_id = 101
    bound.come_back(state=parameters(bound.address())["state"], code="c")
    bound.work_off()
    assert mark(bound) == "verified"
    assert SyncRun.objects.filter(trigger=Trigger.MENDED).count() == 1


def test_a_doubt_about_the_company_outlives_other_troubles(
    bound: Signer, signing: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    behave = signing.server.behave

    def forbids(line: Any) -> None:
        line.answer(403, {}) if "/sessioninfo" in line.asked else behave(line)

    signing.server.behave = forbids
    bound.come_back(state=parameters(bound.address())["state"], code="c")
    bound.work_off()
    assert state_of(bound) == ("broken", "company-unproven")
    with pytest.raises(Refused), tenant_scope(bound.connection.tenant_id):
        start_run(connection=bound.connection, trigger=Trigger.HAND, actor=SYSTEM)


def test_a_login_again_gives_the_old_session_back_first(bound: Signer, signing: House) -> None:
    for _ in range(2):
        bound.come_back(state=parameters(bound.address())["state"], code="c")
        bound.work_off()
    order = [line.asked.split(" ")[1].rpartition("/")[2] for line in signing.server.asked]
    assert [word for word in order if word in ("logout", "token")] == ["token", "logout", "token"]
    assert Grant.objects.count() == 1


def test_a_login_that_was_denied_leaves_a_connection_that_stands_alone(bound: Signer) -> None:
    bound.come_back(state=parameters(bound.address())["state"], error="access_denied")
    bound.work_off()
    assert state_of(bound) == ("connected", "")


def test_a_login_can_bring_a_key(key_signer: Signer, signing: House) -> None:
    address = key_signer.address()
    assert address.startswith(f"{signing.server.address}/keylogin?")
    key_signer.come_back(state=parameters(address)["state"], code="code-canary-77")
    key_signer.work_off()
    assert mark(key_signer) == "verified"
    [form] = signing.forms("/oauth/key")
    assert (form["code"], form["redirect_uri"]) == ("code-canary-77", callback())
    [token] = signing.forms("/oauth/token")
    assert (token["grant_type"], token["api_key"]) == ("client_credentials", signing.api_key)
    assert Credential.objects.get().changed_by == "alice@aamu.example"
    page = key_signer.page()
    assert signing.api_key not in page
    assert f"<code>{signing.api_key[-4:]}</code>" in page


# -- who may begin -----------------------------------------------------------------------------------------------------


def test_only_who_has_shown_it_lately_may_begin(signer: Signer, sign_in: Callable[..., Any], alice: Any) -> None:
    signer.client = sign_in(alice, lately=False)
    assert "Confirm that it is you" in signer.page()
    assert 'id="connect-code"' not in signer.page()
    assert signer.press().headers["Location"].startswith("/account/reauthenticate/?next=%2Ft%2Faamu")
    assert not AuthorizationAttempt.objects.exists()


def test_a_login_that_a_checkpoint_does_not_offer_is_not_there(signer: Signer) -> None:
    for step, login in (("login", "key-login"), ("login", "nothing"), ("company", "code"), ("api-key", "key-login")):
        assert signer.client.post(f"{signer.checklist}{step}/connect/{login}/").status_code == 404
    assert not AuthorizationAttempt.objects.exists()


def test_without_our_registration_nobody_is_sent_away(signer: Signer) -> None:
    ClientRegistration.objects.all().delete()
    assert "registration at Procountor is missing" in signer.page()
    page = signer.client.post(f"{signer.checklist}login/connect/code/", follow=True).content.decode()
    assert "We are not registered at this provider yet" in page


def test_the_registered_address_is_used_where_there_is_one(signer: Signer, signing: House) -> None:
    ClientRegistration.objects.update(redirect_uri="https://portal.example/callback/procountor/")
    address = signer.address()
    assert parameters(address)["redirect_uri"] == "https://portal.example/callback/procountor/"
    signer.come_back(state=parameters(address)["state"], code="c")
    signer.work_off()
    assert signing.forms("/oauth/token")[0]["redirect_uri"] == "https://portal.example/callback/procountor/"


def test_each_way_has_its_own_checklist(signer: Signer, key_signer: Signer) -> None:
    page = signer.client.get("/t/aamu/connect/procountor/").content.decode()
    assert re.findall(r'name="way" value="(\w+)"', page) == ["m2m", "code"]
    assert page.count("<li><strong>") == 7
    assert "Whoever has the key can read everything." in page
    assert set(Mark.objects.filter(onboarding__connection=signer.connection).values_list("checkpoint", flat=True)) == {
        "login",
        "company",
        "first-sync",
    }
    assert 'id="give-fields"' in key_signer.page()
    assert 'id="connect-key-login"' in key_signer.page()


def test_a_provider_may_add_words_of_its_own(signer: Signer, settings: Any, tmp_path: Any) -> None:
    own = tmp_path / "providers" / "procountor" / "login.html"
    own.parent.mkdir(parents=True)
    own.write_text('<p id="own">{{ step.checkpoint.title }}, {{ connection.environment }}, {{ board.walk.total }}</p>')
    engine = settings.TEMPLATES[0]
    settings.TEMPLATES = [{**engine, "DIRS": [tmp_path, *engine["DIRS"]]}]
    assert '<p id="own">Sign in there, sandbox, 3</p>' in signer.page()
