"""A step given to somebody without an account: by a link that works once, for this step alone, in one browser."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.core import mail
from django.utils import timezone

from connections.jobs.models import Job
from connections.providers import registry
from connections.spec.provider import FieldKind
from connections.tenancy.models import AuditEvent, Tenant
from connections.tenancy.scope import tenant_scope
from connections.transport.models import AuthorizationAttempt
from connections.vault.models import Connection, Credential
from portal.members.templatetags.reading import in_zone
from portal.onboarding import handoffs
from portal.onboarding.models import Evidence, Handoff, Mark
from tests.conftest import RoleClient
from tests.onboarding.conftest import Signer
from tests.signing import House, parameters

pytestmark = pytest.mark.usefixtures("committed_db")

KAISA = "kaisa@office.example"
KEY = "key-of-kaisa-canary-0001"
VISITOR = f"{KAISA} (by a link of alice@aamu.example)"


@pytest.fixture(autouse=True)
def mails_at_once(settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"


class Receiver:
    """Somebody with the link, in a browser of their own."""

    def __init__(self, link: str) -> None:
        self.client, self.link, self.page = RoleClient(), link, ""

    def begin(self) -> str:
        answer = self.client.post(self.link, {"begin": "yes"})
        assert answer.status_code == 302
        self.page = answer["Location"]
        return self.look()

    def look(self) -> str:
        answer = self.client.get(self.page)
        assert answer.status_code == 200
        # With no origin at all a browser's press would be taken for another site's.
        assert answer.headers["Referrer-Policy"] == "strict-origin"
        return str(answer.content.decode())

    def press(self, what: str, data: dict[str, str] | None = None) -> Any:
        return self.client.post(f"{self.page}{what}", data or {}, follow=True)

    def is_shut_out(self) -> bool:
        return bool(self.client.get(self.page).status_code == 404 and self.client.get(self.link).status_code == 404)


def give(signer: Signer, checkpoint: str, email: str = KAISA) -> Receiver:
    signer.client.post(f"{signer.checklist}{checkpoint}/hand-off/", {"email": email})
    signer.work_off()
    sent = [each for each in mail.outbox if each.to == [email]]
    match = re.search(r"https?://[^/]+(/hand-off/open/\S+)", str(sent[-1].body))
    assert match, sent[-1].body
    return Receiver(match[1])


def open_page(signer: Signer, checkpoint: str) -> str:
    return str(signer.client.get(f"{signer.checklist}{checkpoint}/").content.decode())


def test_somebody_else_says_that_it_is_done(key_signer: Signer) -> None:
    receiver = give(key_signer, "usage-settings")
    [message] = mail.outbox
    for words in ("alice@aamu.example", "Aamu Oy", "Procountor", "Allow API clients"):
        assert words in message.body
    assert "Not opened yet" in open_page(key_signer, "usage-settings")
    link_page = receiver.client.get(receiver.link)
    for words in ("alice@aamu.example", "Aamu Oy", "Allow API clients", 'id="begin"'):
        assert words in link_page.content.decode()
    assert receiver.client.get(receiver.link).status_code == 200, "looking uses nothing up"
    until = in_zone(Handoff.objects.get().expires_at, "Europe/Helsinki")
    assert until in link_page.content.decode(), "of the company's zone, by its name"
    assert Handoff.objects.get().opened_at is None

    page = receiver.begin()
    assert "Usage settings" in page
    assert "Not opened yet" not in open_page(key_signer, "usage-settings")
    assert RoleClient().get(receiver.link).status_code == 404, "the link is used up"
    answer = receiver.press("done/")
    assert "Thank you, that is all" in answer.content.decode()
    assert receiver.is_shut_out()

    mark = Mark.objects.get(checkpoint="usage-settings")
    assert (mark.state, Evidence.objects.get(mark=mark).actor_name) == ("attested", VISITOR)
    actions = dict(AuditEvent.objects.filter(action__startswith="handoff").values_list("action", "actor_name"))
    assert actions == {"handoff.given": "alice@aamu.example", "handoff.opened": VISITOR}
    assert AuditEvent.objects.get(action="checkpoint.attested").actor_name == VISITOR
    key_signer.work_off()
    assert "has done the step “Allow API clients”" in mail.outbox[-1].body
    assert mail.outbox[-1].to == ["alice@aamu.example"]
    assert f"Given to <bdi>{KAISA}</bdi>; done" in open_page(key_signer, "usage-settings")


def test_a_secret_goes_in_and_never_comes_out(key_signer: Signer, signing: House) -> None:
    receiver = give(key_signer, "api-key")
    assert "Nobody sees it again" in receiver.begin()
    signing.token_status, signing.token_body = 401, {"error": "denied"}
    page = receiver.press("fields/", {"api_key": "k" * 40}).content.decode()
    assert "We are asking" in page
    key_signer.work_off()
    assert "does not accept this API key" in receiver.look()
    House.__init__(signing, signing.server)
    pages = [receiver.press("fields/", {"api_key": KEY}).content.decode()]
    Job.objects.filter(state="queued").update(due_at=timezone.now())
    key_signer.work_off()
    stored = Credential.objects.get()
    assert (stored.name, stored.changed_by) == ("api_key", VISITOR)
    assert Mark.objects.get(checkpoint="api-key").state == "verified"
    assert receiver.is_shut_out(), "it is done"
    pages += [open_page(key_signer, "api-key"), str([message.body for message in mail.outbox])]
    assert all(KEY not in each for each in pages)
    # Whose books they are the member says, as ever.
    assert Mark.objects.get(checkpoint="company").state != "verified"
    assert Connection.objects.get().state == "setup"


def test_a_consent_belongs_to_the_browser_in_which_it_was_begun(signer: Signer, signing: House) -> None:
    receiver = give(signer, "login")
    receiver.begin()
    page = receiver.press("connect/code/").content.decode()
    address = re.findall(r'id="go-to-provider" href="([^"]+)"', page)[0].replace("&amp;", "&")
    brought = {"state": parameters(address)["state"], "code": "c"}
    assert RoleClient().get("/callback/procountor/", brought).status_code == 403
    assert signer.client.get("/callback/procountor/", brought).status_code == 400, "nor to the member's own"
    assert AuthorizationAttempt.objects.get().consumed_at is None
    answer = receiver.client.get("/callback/procountor/", brought)
    assert (answer.status_code, answer["Location"]) == (302, receiver.page)
    signer.work_off()
    attempt = AuthorizationAttempt.objects.get()
    assert (attempt.state, attempt.actor_id, attempt.actor_name) == ("exchanged", None, VISITOR)
    assert Mark.objects.get(checkpoint="login").state == "verified"
    assert receiver.is_shut_out()


def test_a_consent_that_comes_back_too_late_for_the_link_is_not_used(signer: Signer, signing: House) -> None:
    receiver = give(signer, "login")
    receiver.begin()
    page = receiver.press("connect/code/").content.decode()
    address = re.findall(r'id="go-to-provider" href="([^"]+)"', page)[0].replace("&amp;", "&")
    signer.client.post(f"{signer.checklist}login/hand-off/withdraw/")
    answer = receiver.client.get("/callback/procountor/", {"state": parameters(address)["state"], "code": "c"})
    assert answer.status_code == 403
    signer.work_off()
    assert signing.asked("/oauth/token") == []


@pytest.mark.parametrize("spoiled", ["withdrawn", "given anew", "over", "left", "suspended", "done by the member"])
def test_a_link_and_its_session_end_alike_whatever_the_reason(spoiled: str, key_signer: Signer) -> None:
    receiver = give(key_signer, "usage-settings")
    unopened = receiver.link
    receiver.begin()
    step = f"{key_signer.checklist}usage-settings/"
    match spoiled:
        case "withdrawn":
            key_signer.client.post(f"{step}hand-off/withdraw/")
        case "given anew":
            assert give(key_signer, "usage-settings", "other@office.example").link != unopened
        case "over":
            Handoff.objects.update(expires_at=timezone.now())
        case "left":
            Connection.objects.update(state="disconnected")
        case "suspended":
            Tenant.objects.update(state="suspended")
        case _:
            key_signer.client.post(f"{step}attest/")
    assert receiver.is_shut_out()
    before = Mark.objects.get(checkpoint="usage-settings").state
    answer = receiver.client.post(f"{receiver.page}done/")
    never = RoleClient().post("/hand-off/0123456789abcdef/done/")
    assert answer.status_code == never.status_code == 404
    pages = [re.sub(r"nonce-[\w+/=]+", "", each.content.decode()) for each in (answer, never)]
    assert pages[0] == pages[1]
    assert Mark.objects.get(checkpoint="usage-settings").state == before


def test_it_can_do_this_step_and_nothing_else(key_signer: Signer, kaste: Any) -> None:
    receiver = give(key_signer, "usage-settings")
    receiver.begin()
    for address in ("", "c/", f"c/{key_signer.connection.id}/", f"c/{key_signer.connection.id}/checklist/"):
        assert receiver.client.get(f"/t/aamu/{address}").status_code in (302, 404)
    assert receiver.client.post(f"{receiver.page}fields/", {"api_key": KEY}).status_code == 404
    assert receiver.client.post(f"{receiver.page}connect/key-login/").status_code == 404
    assert not Credential.objects.exists()
    # A cookie opens its own address alone, and an address nothing without its cookie.
    other = give(key_signer, "api-key", "other@office.example")
    other.begin()
    stranger = RoleClient()
    [cookie] = [each for each in receiver.client.cookies.values() if "handoff" in each.key]
    stranger.cookies[handoffs.cookie_name(other.page.split("/")[-2])] = cookie.value
    assert stranger.get(other.page).status_code == 404
    assert RoleClient().get(receiver.page).status_code == 404
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    with tenant_scope(kaste.id), handoffs.open_session(receiver.page.split("/")[-2], cookie.value) as step:
        assert step is not None
        assert step.tenant.slug == "aamu", "the scope is the link's, whatever it was before"


def test_tries_are_limited(key_signer: Signer) -> None:
    receiver = give(key_signer, "api-key")
    receiver.begin()
    for _number in range(handoffs.MOST_TRIES):
        assert receiver.client.post(f"{receiver.page}fields/", {"api_key": "short"}).status_code == 200
    assert receiver.client.post(f"{receiver.page}fields/", {"api_key": KEY}).status_code == 404
    assert receiver.is_shut_out()
    assert not Credential.objects.exists()
    assert "too many tries" in open_page(key_signer, "api-key")
    assert AuditEvent.objects.filter(action="handoff.too_many_tries", actor_name=VISITOR).count() == 1


def test_the_link_stands_nowhere_but_in_the_mail(key_signer: Signer, caplog: pytest.LogCaptureFixture) -> None:
    receiver = give(key_signer, "usage-settings")
    token = receiver.link.split("/")[-2]
    assert len(token) == 43
    for model in apps.get_app_config("onboarding").get_models():
        assert token not in str(list(model._base_manager.values())), model
    for model in (AuditEvent, Job):
        assert token not in str(list(model.objects.values()))
    looked = receiver.client.get(receiver.link)
    assert looked.headers["Referrer-Policy"] == "strict-origin"
    assert "no-store" in looked.headers["Cache-Control"]
    receiver.begin()
    assert token not in receiver.look()
    assert token not in open_page(key_signer, "usage-settings")
    assert RoleClient().get(receiver.link).headers["Referrer-Policy"] == "no-referrer"
    assert token not in caplog.text


def test_reminders_go_to_whoever_was_asked_and_can_be_stopped(key_signer: Signer) -> None:
    receiver = give(key_signer, "usage-settings")
    mail.outbox.clear()

    def days_later(days: int) -> None:
        Handoff.objects.filter(ended_at=None).update(given_at=timezone.now() - timedelta(days=days, minutes=1))
        Connection.objects.update(created_at=timezone.now() - timedelta(days=days, minutes=1))
        reminding = Job.objects.filter(kind__in=(handoffs.REMIND, "incidents.remind"), state="queued")
        reminding.update(due_at=timezone.now())
        key_signer.work_off()

    for days in (1, 2, 3, 5, 6):
        days_later(days)
    assert [message.to for message in mail.outbox] == [[KAISA]] * 3, "and nobody reminds the member meanwhile"
    assert receiver.link in mail.outbox[-1].body

    anew = give(key_signer, "usage-settings")
    mail.outbox.clear()
    assert "You get no more reminders" in anew.client.post(anew.link, {"quiet": "yes"}).content.decode()
    days_later(1)
    assert [message.to for message in mail.outbox if message.to == [KAISA]] == []
    assert "No more reminders are sent" in open_page(key_signer, "usage-settings")


def test_who_may_give_it_and_what(key_signer: Signer, alice: Any, vera: Any, sign_in: Callable[..., Any]) -> None:
    step = f"{key_signer.checklist}usage-settings/hand-off/"
    assert sign_in(vera).post(step, {"email": KAISA}).status_code == 404
    assert "handoff-email" not in sign_in(vera).get(f"{key_signer.checklist}usage-settings/").content.decode()
    late = sign_in(alice, lately=False).post(step, {"email": KAISA})
    assert late["Location"].startswith("/account/reauthenticate/")
    answer = key_signer.client.post(f"{key_signer.checklist}company/hand-off/", {"email": KAISA}, follow=True)
    assert "This step cannot be given to somebody else" in answer.content.decode()
    assert "This is no e-mail address" in key_signer.client.post(step, {"email": "x"}, follow=True).content.decode()
    assert not Handoff.objects.exists()
    assert mail.outbox == []


def test_nobody_hands_off_the_company_a_server_or_a_certificate() -> None:
    fit = set()
    for provider in registry.all_providers().values():
        for checkpoint in provider.checklist:
            kinds = {provider.field(name).kind for name in checkpoint.fields}
            if checkpoint.may_hand_off:
                fit.add(provider.slug)
                assert checkpoint.slug != "company", provider.slug
                assert "company_name" not in checkpoint.fields, provider.slug
                assert not checkpoint.pins, provider.slug
                assert FieldKind.ADDRESS not in kinds, provider.slug
                assert handoffs.is_fit(provider, checkpoint)
    assert fit == set(registry.all_providers())
