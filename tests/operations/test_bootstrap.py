"""`manage.py bootstrap`: two links that let the first people in, on an empty installation only."""

from __future__ import annotations

import re
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core.management import CommandError, call_command

from connections.tenancy.models import AuditEvent, Tenant, TenantState
from portal.members.models import EnrolmentLink, Invitation, Membership, User
from portal.notices.models import OutgoingMail
from portal.notices.outbox import sent_mails
from tests.factors import code_of
from tests.roles import acting_as

WANTED = {
    "admin_email": "Ada@Pilotage.example",
    "tenant": "Aamu Oy",
    "slug": "aamu",
    "owner_email": "alice@aamu.example",
}


@pytest.fixture(autouse=True)
def queued_mail(settings: Any) -> None:
    settings.EMAIL_BACKEND = "portal.notices.mail.QueuedBackend"


def run_bootstrap(**changes: Any) -> str:
    out = StringIO()
    call_command("bootstrap", stdout=out, **{**WANTED, **changes})
    return out.getvalue()


def links(output: str) -> dict[str, str]:
    return dict(re.findall(r"(\S+@\S+) \(.*\): (http\S+)", output))


def path(link: str) -> str:
    assert link.startswith("http://localhost:8000/")
    return link.removeprefix("http://localhost:8000")


def test_without_mail_both_links_are_printed(db: None, settings: Any) -> None:
    output = run_bootstrap()
    assert set(links(output)) == {"Ada@Pilotage.example", "alice@aamu.example"}
    assert not OutgoingMail.objects.exists()
    admin = User.objects.get()
    assert (admin.email, admin.staff_role) == ("ada@pilotage.example", "admin")
    assert not admin.has_usable_password()
    assert EmailAddress.objects.get(user=admin).verified
    invitation = Invitation.objects.get()
    assert (invitation.email, invitation.role) == ("alice@aamu.example", "owner")
    assert Tenant.objects.get().state == TenantState.FOUNDED
    assert AuditEvent.objects.filter(action="member.invited").count() == 1


def test_a_worker_makes_the_tenants_keys_afterwards(db: None, work_off: Callable[..., int]) -> None:
    run_bootstrap()
    work_off()
    assert Tenant.objects.get().state == TenantState.ACTIVE


def test_with_mail_and_keys_the_links_are_mailed_and_not_shown(system_key: None) -> None:
    output = run_bootstrap()
    assert links(output) == {}
    [link] = re.findall(r"http\S+", output)
    assert "/second-factor/" in link  # the one that no mail may carry
    assert OutgoingMail.objects.count() == 2


def test_the_mails_hold_the_links_that_work(
    system_key: None, work_off: Callable[..., int], settings: Any, tmp_path: Path
) -> None:
    settings.DEMO_MAIL_DIR = tmp_path / "mail"
    run_bootstrap()
    work_off()
    mails = {mail.to: mail.body for mail in sent_mails(settings.DEMO_MAIL_DIR)}
    assert len(mails) == 2
    assert "/account/password/reset/key/" in mails["ada@pilotage.example"]
    assert "second factor" in mails["ada@pilotage.example"]


def test_in_production_without_smtp_links_are_printed(system_key: None, settings: Any) -> None:
    settings.DEMO, settings.SMTP = False, {}
    assert len(links(run_bootstrap())) == 2


def test_the_admins_link_sets_a_password_once(db: None, client: Any) -> None:
    address = path(links(run_bootstrap())["Ada@Pilotage.example"])
    form = client.get(address, follow=True)
    assert form.status_code == 200
    new = "correct horse battery staple"
    answer = client.post(form.redirect_chain[-1][0], {"password1": new, "password2": new})
    assert answer.status_code == 302
    assert User.objects.get().check_password(new)
    again = type(client)().get(address, follow=True)
    assert "password1" not in again.content.decode()


def test_the_owners_link_is_an_invitation(db: None, client: Any) -> None:
    address = path(links(run_bootstrap())["alice@aamu.example"])
    assert client.get(address).status_code == 200


@pytest.mark.parametrize("who", ["a person", "a tenant"])
def test_a_used_installation_is_refused(db: None, who: str) -> None:
    if who == "a person":
        User.objects.create_user("somebody@aamu.example", "x")
    else:
        Tenant.objects.create(name="Kaste Oy", slug="kaste")
    with pytest.raises(CommandError) as refused:
        run_bootstrap()
    assert "\n" not in str(refused.value)
    assert "/admin/" in str(refused.value)
    assert User.objects.count() + Tenant.objects.count() == 1


def test_of_two_at_once_the_later_founds_nothing(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The questions take a while; somebody else may have founded meanwhile."""
    monkeypatch.setattr("builtins.input", lambda question: str(User.objects.create_user("first@aamu.example", "x")))
    with pytest.raises(CommandError, match="already"):
        run_bootstrap(slug=None)
    assert User.objects.count() == 1


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"admin_email": "not an address"}, "email"),
        ({"owner_email": "nor this"}, "email"),
        ({"slug": "Aamu Oy!"}, "slug"),
        ({"tenant": "x" * 121}, "name"),
    ],
)
def test_what_cannot_be_is_named_and_nothing_is_founded(db: None, wrong: dict[str, str], word: str) -> None:
    with pytest.raises(CommandError, match=word) as refused:
        run_bootstrap(**wrong)
    assert "\n" not in str(refused.value)
    assert not User.objects.exists()
    assert not Tenant.objects.exists()


def test_it_asks_for_what_is_missing(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(["ada@pilotage.example", "Aamu Oy", "", "", "alice@aamu.example"])
    monkeypatch.setattr("builtins.input", lambda question: next(answers))
    run_bootstrap(admin_email=None, tenant=None, slug=None, owner_email=None)
    assert Tenant.objects.get().slug == "aamu-oy"
    assert Invitation.objects.get().email == "alice@aamu.example"


def test_nobody_at_the_terminal_is_one_clear_line(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(question: str) -> str:
        raise EOFError

    monkeypatch.setattr("builtins.input", nobody)
    with pytest.raises(CommandError, match="--slug is missing"):
        run_bootstrap(slug=None)


@pytest.mark.parametrize(("setting", "word"), [("SECRET_KEY", "PORTAL_SECRET_KEY_FILE"), ("ORIGIN", "PORTAL_ORIGIN")])
def test_links_that_could_not_work_are_not_made(db: None, settings: Any, setting: str, word: str) -> None:
    setattr(settings, setting, "")
    with pytest.raises(CommandError, match=word):
        run_bootstrap()


def test_it_is_the_owners(db: None) -> None:
    with acting_as("web"), pytest.raises(CommandError, match="portal_owner"):
        run_bootstrap()
    assert not Membership.objects.exists()


# -- the first admin's second factor -----------------------------------------------------------------------------------


def enrolment_path(output: str) -> str:
    [link] = re.findall(r"http\S+/second-factor/\S+", output)
    return path(link)


def test_the_first_admin_gets_in_with_the_password_and_the_printed_link(db: None, client: Any, settings: Any) -> None:
    output = run_bootstrap()
    settings.DEMO = False
    form = client.get(path(links(output)["Ada@Pilotage.example"]), follow=True)
    new = "correct horse battery staple"
    client.post(form.redirect_chain[-1][0], {"password1": new, "password2": new})
    client.post("/account/login/", {"login": "ada@pilotage.example", "password": new})
    client.post("/account/reauthenticate/", {"password": new})
    assert client.get("/admin/").status_code == 403  # the password alone is not enough
    client.post(enrolment_path(output))
    page = client.get("/account/2fa/totp/activate/").content.decode().replace("\n", " ")
    seed = re.search(r'id="authenticator_secret"[^>]*value="(\w+)"', page)
    assert seed
    client.post("/account/2fa/totp/activate/", {"code": code_of(seed[1], 1)})
    client.post("/account/2fa/reauthenticate/", {"code": code_of(seed[1])})
    assert client.get("/admin/").status_code == 200


def test_another_link_is_printed_where_no_admin_can_make_one(db: None) -> None:
    first = enrolment_path(run_bootstrap())
    out = StringIO()
    call_command("enrolment_link", "Ada@pilotage.example", stdout=out)
    assert enrolment_path(out.getvalue()) != first
    assert EnrolmentLink.objects.filter(revoked_at=None).count() == 1


@pytest.mark.parametrize(("email", "word"), [("nobody@aamu.example", "nobody"), ("alice@aamu.example", "staff")])
def test_a_link_is_for_staff_alone(db: None, email: str, word: str) -> None:
    User.objects.create_user("alice@aamu.example", "x")
    with pytest.raises(CommandError, match=word) as refused:
        call_command("enrolment_link", email)
    assert "\n" not in str(refused.value)
    assert not EnrolmentLink.objects.exists()


def test_making_a_link_is_the_owners(db: None) -> None:
    with acting_as("web"), pytest.raises(CommandError, match="portal_owner"):
        call_command("enrolment_link", "ada@pilotage.example")
