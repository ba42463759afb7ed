"""What a login does to the checklist: its check, its words, the company it may open; and who may begin one."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from connections.jobs.models import Job
from connections.jobs.services import claim
from connections.sync.models import Record, SyncRun, Trigger
from connections.sync.services import start_run
from connections.tenancy.scope import SYSTEM, tenant_scope
from connections.transport import jobs
from connections.transport.models import AuthorizationAttempt
from connections.transport.oauth import authorization
from connections.vault.models import ClientRegistration, Connection, Credential, Grant
from connections.vault.services import ActionRefused
from portal.onboarding.models import Evidence, Mark
from tests.onboarding.conftest import Signer, mark
from tests.roles import acting_as
from tests.signing import House, callback, parameters

pytestmark = pytest.mark.usefixtures("committed_db")


def state_of(signer: Signer) -> tuple[str, str]:
    signer.connection.refresh_from_db()
    return signer.connection.state, signer.connection.fault


def test_a_refused_exchange_is_told_where_it_belongs(signer: Signer, signing: House) -> None:
    signing.token_status, signing.token_body = 400, {"error": "invalid_grant"}
    signer.come_back(state=parameters(signer.address())["state"], code="c")
    signer.work_off()
    assert mark(signer) == "open"
    page = signer.page()
    assert "it took too long, or was used already. Start again." in page
    assert "Six months are over" not in page, "nothing was there that could have ended"
    assert 'id="exchanging"' not in page
    assert len(signing.asked("/oauth/token")) == 1
    assert Evidence.objects.filter(mark__checkpoint="login").latest("at").entry_id is not None


def test_trouble_that_is_not_the_customers_leaves_the_mark_alone(signer: Signer, signing: House) -> None:
    signing.token_status = 503
    signer.come_back(state=parameters(signer.address())["state"], code="c")
    signer.work_off()
    assert mark(signer) == "open"
    page = signer.page()
    assert "This sign-in could not be completed" in page
    assert "try again by ourselves" not in page, "a code is not sent twice"


def test_a_login_for_another_company_is_recognised_before_anything_is_read(bound: Signer, signing: House) -> None:
    with tenant_scope(bound.connection.tenant_id):
        run = start_run(connection=bound.connection, trigger=Trigger.HAND, actor=SYSTEM)
    signing.company_id = 102
    bound.come_back(state=parameters(bound.address())["state"], code="c")
    # From here on nothing is read, although nobody knows yet which company it is.
    assert SyncRun.objects.get(id=run.id).state == "cancelled"
    assert state_of(bound) == ("broken", "company-unproven")
    with pytest.raises(ActionRefused), tenant_scope(bound.connection.tenant_id):
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


def test_a_login_that_no_page_received_holds_reading_as_well(bound: Signer, signing: House) -> None:
    """Whoever writes rows as the web does could leave the page's part out."""
    signing.company_id = 102
    bound.come_back(state=parameters(bound.address())["state"], code="c")
    Connection.objects.update(state="connected", fault="", fault_at=None)
    [job] = Job.objects.filter(kind=authorization.EXCHANGE)
    with acting_as("worker"):
        jobs.exchange(claim(job.id))
    assert state_of(bound) == ("broken", "company-unproven")


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
    with pytest.raises(ActionRefused), tenant_scope(bound.connection.tenant_id):
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
    assert signer.press().headers["Location"].startswith("/account/reauthenticate/?next=%2Fcontinue%2F")
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
    assert re.findall(r'name="auth_method" value="(\w+)"', page) == ["m2m", "code"]
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
    own.write_text(
        '<p id="own">{{ step.checkpoint.title }}, {{ connection.environment }}, {{ checklist_page.progress.total }}</p>'
    )
    engine = settings.TEMPLATES[0]
    settings.TEMPLATES = [{**engine, "DIRS": [tmp_path, *engine["DIRS"]]}]
    assert '<p id="own">Sign in there, sandbox, 3</p>' in signer.page()
