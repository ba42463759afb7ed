"""A server is moved by an owner's act alone, and nothing is read before the company is proved at the new one."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from connections.jobs.models import Job
from connections.jobs.services import cancel, enqueue
from connections.jobs.tasks import work
from connections.sync.models import Record, RunState, SyncRun, Trigger
from connections.sync.services import RUN, start_run
from connections.tenancy.models import AuditEvent
from connections.tenancy.scope import tenant_scope
from connections.transport.request_context import RequestContext
from connections.vault.models import Connection, Credential, Exemption, Grant, Pin
from connections.vault.services import ActionRefused, exemptions_of
from portal.env import SandboxHosts
from portal.onboarding import credentials, marks, server_move, services
from portal.onboarding.models import Mark
from portal.onboarding.probing import ConnectionAsker
from tests.conftest import joined, person
from tests.contract.auth_methods import AuthMethod, auth_methods
from tests.contract.conftest import arrive, no_pace, no_pauses  # noqa: F401  (a customer in every way)
from tests.contract.customers import AINO, Customer
from tests.exemptions import allow
from tests.roles import acting_as

pytestmark = pytest.mark.usefixtures("db", "vera")
OF = {str(auth_method): auth_method for auth_method in auth_methods()}
PENTAMIC, SIMUTEK = OF["pentamic-client-credentials"], OF["simutek-client-credentials"]


OTHER_COMPANY = {"pentamic": 502, "smartbusiness": 418_000_202, "procountor": 10452}


def renamed(address: str) -> str:
    """The same machine by its other name, which is another origin."""
    is_number = "127.0.0.1" in address
    return address.replace("127.0.0.1", "localhost") if is_number else address.replace("localhost", "127.0.0.1")


class Office:
    """A customer's connection, and people at its pages."""

    def __init__(self, customer: Customer, sign_in: Callable[..., Any], settings: Any) -> None:
        self.customer, self.sign_in, self.settings = customer, sign_in, settings
        self.root = f"/t/aamu/c/{customer.connection.id}/"

    @property
    def connection(self) -> Connection:
        return Connection.objects.select_related("tenant").get(id=self.customer.connection.id)

    @property
    def stands(self) -> tuple[str, str]:
        return self.connection.state, self.connection.fault

    def elsewhere(self) -> dict[str, str]:
        """The addresses to type: the same simulator at another origin."""
        hosts = self.settings.SANDBOX_HOSTS[self.customer.auth_method.slug]
        moved = renamed(hosts.api)
        parts = {name: getattr(hosts, name) for name in ("api", "token", "authorize", "ca")}
        self.settings.SANDBOX_HOSTS[self.customer.auth_method.slug] = SandboxHosts(**parts, plain=moved)
        typed = {
            name: self.connection.settings[name]
            for name in ("api_url", "auth_url")
            if name in self.connection.settings
        }
        return {**typed, "api_url": renamed(typed["api_url"])}

    def page(self, user: Any, step: str = "") -> str:
        return str(self.sign_in(user).get(f"{self.root}checklist/{step}").content.decode())

    def post(self, user: Any, path: str, fields: dict[str, str] | None = None, **more: Any) -> str:
        answer = self.sign_in(user, **more).post(f"{self.root}{path}", fields or {}, follow=True)
        assert answer.status_code == 200, answer.status_code
        return html.unescape(answer.content.decode())

    def press(self, user: Any, step: str) -> str:
        """The button that confirms, with what its form holds on the page."""
        page = self.page(user, f"{step}/")
        form = re.search(rf'<form method="post" action="[^"]+/{step}/confirm/">(.*?)</form>', page, re.S)
        hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form[1]) if form else []
        return self.post(user, f"checklist/{step}/confirm/", {name: html.unescape(value) for name, value in hidden})

    def mark(self, step: str) -> str:
        return str(Mark.objects.get(onboarding__connection=self.connection, checkpoint=step).state)

    def work(self) -> None:
        self.customer.work_off()

    def consent(self, user: Any, step: str, login: str, **who: Any) -> None:
        """Press Connect, sign in at the provider as somebody, come back."""
        client = self.sign_in(user)
        page = client.post(f"{self.root}checklist/{step}/connect/{login}/").content.decode()
        match = re.search(r'id="go-to-provider" href="([^"]+)"', page)
        assert match, page
        address = html.unescape(match[1])
        back = self.customer.simulator.control("consent", {"url": address, **who})["location"]
        query = {name: values[0] for name, values in parse_qs(urlsplit(back).query).items()}
        client.get(f"/callback/{self.customer.auth_method.slug}/", query)

    def runs(self) -> int:
        return SyncRun.objects.filter(trigger=Trigger.MENDED).count()


@pytest.fixture
def make_office(arrive: Any, sign_in: Any, settings: Any, alice: Any) -> Callable[[AuthMethod], Office]:  # noqa: F811
    """`office(auth_method)`: connected by the checklist, read once."""

    def make(auth_method: AuthMethod) -> Office:
        customer = arrive(auth_method)
        customer.walk()
        office = Office(customer, sign_in, settings)
        assert office.stands == ("connected", ""), office.stands
        return office

    return make


def recipients(mails: list[Any]) -> list[str]:
    addresses = sorted(address for mail in mails if not mail.subject.endswith(" is live") for address in mail.to)
    mails.clear()
    return addresses


def test_a_servers_address_is_moved_from_page_to_company(
    make_office: Callable[[AuthMethod], Office], alice: Any, bob: Any, vera: Any, aamu: Any, mailoutbox: list[Any]
) -> None:
    olga = joined(person("olga@aamu.example"), aamu, "owner")
    office = make_office(PENTAMIC)
    read = Record.objects.count()
    old, new = office.connection.settings["api_url"], office.elsewhere()
    allow(office.connection, Exemption.PRIVATE_NETWORKS, "10.1.2.0/24")
    allow(office.connection, Exemption.PLAIN_HTTP)
    assert RequestContext(office.connection, office.customer.provider).hosts.private == ("10.1.2.0/24",)
    typed = {**office.connection.settings, **new}
    for user in (bob, alice):
        assert "press “Move the server”" in office.post(user, "checklist/addresses/fields/", typed)
    assert office.connection.settings["api_url"] == old

    for user in (vera, bob):
        assert office.sign_in(user).get(f"{office.root}move/").status_code == 404
        assert office.sign_in(user).post(f"{office.root}move/", {**new, "confirmed": "yes"}).status_code == 404
        assert "to-move" not in office.sign_in(user).get(office.root).content.decode()
    assert 'id="to-move"' in office.sign_in(alice).get(office.root).content.decode()
    stale = office.sign_in(alice, lately=False).post(f"{office.root}move/", {**new, "confirmed": "yes"})
    assert "reauthenticate" in stale["Location"]
    page = office.post(alice, "move/", new)
    assert f">{old}<" in page
    assert f">{new['api_url']}<" in page
    assert office.connection.settings["api_url"] == old, "shown, not done"
    assert office.stands == ("connected", "")

    with tenant_scope(aamu.id):
        run = start_run(connection=office.connection, trigger=Trigger.HAND, actor=AINO)
    mailoutbox.clear()
    assert "The server is changed" in office.post(alice, "move/", {**new, "confirmed": "yes"})
    assert office.mark("addresses") == "open", "what answered at the old server proves nothing of the new one"
    assert office.connection.settings["api_url"] == new["api_url"]
    assert SyncRun.objects.get(id=run.id).state == RunState.CANCELLED
    for model in (Credential, Grant, Pin):
        assert not model.objects.filter(connection=office.connection).exists(), model
    assert office.stands == ("broken", "company-unproven")
    assert sorted(address for mail in mailoutbox for address in mail.to) == [alice.email, olga.email]
    for mail in mailoutbox:
        assert old in mail.body
        assert new["api_url"] in mail.body
    event = AuditEvent.objects.get(action="connection.server_moved")
    assert urlsplit(old).netloc in event.details["api_url_before"]
    assert urlsplit(new["api_url"]).netloc in event.details["api_url_after"]
    assert exemptions_of(office.connection).private_networks == ()
    assert not exemptions_of(office.connection).plain_http
    assert RequestContext(office.connection, office.customer.provider).hosts.private == ()
    nothing_is_read(office)
    page = office.sign_in(bob).get(office.root).content.decode()
    assert 'id="sync-now"' not in page, "it would be refused"
    assert "Go on with the checklist" in page

    office.work()
    assert office.mark("addresses") == "verified"
    assert [office.mark(step) for step in ("certificate", "access", "company")] == ["unconfirmed", "open", "open"]
    office.press(bob, "certificate")
    office.work()
    secret = {name: office.customer.given[name] for name in ("client_id", "client_secret", "scope")}
    assert "empty" in office.post(bob, "checklist/access/fields/", {**secret, "client_secret": ""})
    office.post(bob, "checklist/access/fields/", secret)
    office.work()
    assert (office.mark("access"), office.mark("company")) == ("verified", "unconfirmed")
    nothing_is_read(office)
    assert recipients(mailoutbox).count(olga.email) == 2, "that it was moved, and that an owner is waited for"

    assert "An owner of your company confirms this" in office.page(bob, "company/")
    assert "Only an owner" in office.post(bob, "checklist/company/confirm/")
    nothing_is_read(office)
    assert "Something else was found" in office.post(alice, "checklist/company/confirm/", {"evidence": "1"})
    nothing_is_read(office)
    office.press(alice, "company")
    assert office.stands == ("connected", "")
    office.work()
    assert office.runs() == 1
    assert SyncRun.objects.latest("queued_at").state == RunState.SUCCEEDED
    assert Record.objects.count() == read, "the same company's books"


def nothing_is_read(office: Office) -> None:
    """Nobody starts a run, and one that stands there all the same is not gone on with."""
    with tenant_scope(office.connection.tenant_id), pytest.raises(ActionRefused):
        start_run(connection=office.connection, trigger=Trigger.HAND, actor=AINO)
    with tenant_scope(office.connection.tenant_id):
        run = SyncRun(tenant=office.connection.tenant, connection=office.connection, trigger=Trigger.HAND)
        run.save(force_insert=True)
        job = enqueue(kind=RUN, subject=run.id, tenant_id=run.tenant_id)
        office.work()
        assert Job.objects.get(id=job).reason.startswith("held")
        cancel(kind=RUN, subject=run.id)
    run.delete()


@pytest.mark.parametrize("auth_method", [PENTAMIC, SIMUTEK], ids=str)
def test_another_companys_books_at_the_new_server_are_refused(
    auth_method: AuthMethod, make_office: Callable[[AuthMethod], Office], alice: Any, bob: Any, mailoutbox: list[Any]
) -> None:
    office = make_office(auth_method)
    new = office.elsewhere()
    office.post(alice, "move/", {**new, "confirmed": "yes"})
    office.work()
    other = {"company": OTHER_COMPANY["pentamic"]} if auth_method is PENTAMIC else {}
    new_access = office.customer.simulator.control("setup", other)["credentials"]
    if auth_method is SIMUTEK:
        rows = Record.objects.filter(stream="customers")
        for row in rows:
            Record.objects.filter(pk=row.pk).update(external_id=f"gone-{row.external_id}")
    if auth_method is PENTAMIC:
        office.press(bob, "certificate")
        office.work()
    mailoutbox.clear()
    office.post(bob, "checklist/access/fields/", {**new, **new_access})
    office.work()
    assert office.stands == ("broken", "other-company")
    assert office.mark("company") == "failing"
    assert recipients(mailoutbox) == [alice.email]
    assert "nothing to confirm" in office.press(alice, "company")
    assert office.stands == ("broken", "other-company")
    nothing_is_read(office)


def test_a_typo_in_set_up_is_put_right_before_anything_is_stored(
    arrive: Callable[[AuthMethod], Customer],  # noqa: F811
    sign_in: Any,
    settings: Any,
    alice: Any,
    bob: Any,
    mailoutbox: list[Any],
) -> None:
    customer = arrive(PENTAMIC)
    customer.set_up()
    office = Office(customer, sign_in, settings)
    typed = {name: customer.given[name] for name in ("api_url", "auth_url", "format", "tax_codes")}
    office.post(bob, "checklist/addresses/fields/", {**typed, "api_url": "https://api.tpyo.example"})
    assert office.connection.settings["api_url"] == "https://api.tpyo.example"
    office.post(bob, "checklist/addresses/fields/", typed)
    assert office.connection.settings["api_url"] == typed["api_url"]
    office.work()
    assert office.mark("certificate") == "unconfirmed"
    office.press(bob, "certificate")
    office.work()
    secret = {name: customer.given[name] for name in ("client_id", "client_secret", "scope")}
    office.post(bob, "checklist/access/fields/", secret)
    office.work()
    assert office.mark("access") == "verified"

    # Once a secret is stored it was given for that server: another address destroys it.
    office.post(bob, "checklist/addresses/fields/", {**typed, **office.elsewhere()})
    for model in (Credential, Grant, Pin):
        assert not model.objects.filter(connection=office.connection).exists(), model
    office.work()
    assert (office.mark("certificate"), office.mark("access")) == ("unconfirmed", "open")
    assert "The server was changed" in office.page(bob, "access/")
    assert office.stands == ("setup", "")
    assert recipients(mailoutbox) == [], "nobody is told of what nobody relies on yet"


def test_a_page_that_is_out_of_date_brings_no_old_address_back(
    make_office: Callable[[AuthMethod], Office], alice: Any, aamu: Any
) -> None:
    """Somebody moves the server while another one's form is on its way."""
    office = make_office(SIMUTEK)
    with tenant_scope(aamu.id):
        mark = Mark.objects.select_related("onboarding__connection").get(
            onboarding__connection=office.connection, checkpoint="access"
        )
        row = office.connection
    office.post(alice, "move/", {**office.elsewhere(), "confirmed": "yes"})
    moved = office.connection.settings
    values = {"api_url": row.settings["api_url"], "client_id": "x", "client_secret": "s3cret-0123456789"}
    with acting_as("web"), tenant_scope(aamu.id), pytest.raises(ActionRefused, match="somebody else meanwhile"):
        services.store_credentials(credentials=credentials.clean_credentials(mark=mark, values=values), actor=AINO)
    with acting_as("web"), tenant_scope(aamu.id), pytest.raises(ActionRefused, match="somebody else meanwhile"):
        server_move.move(connection=row, values={"api_url": "https://third.example"}, actor=AINO)
    assert office.connection.settings == moved
    assert not Credential.objects.exists()


@pytest.mark.parametrize("auth_method", ["procountor-m2m", "smartbusiness-own-client"])
def test_a_new_secret_of_the_same_company_goes_on_and_of_another_is_refused(
    auth_method: str, make_office: Callable[[AuthMethod], Office], alice: Any, bob: Any, mailoutbox: list[Any]
) -> None:
    chosen = next(each for each in OF.values() if str(each).startswith(auth_method.split("-")[0]) and not each.login)
    office = make_office(chosen)
    step = next(each.slug for each in office.customer.provider.checkpoints(chosen.grant) if each.fields)
    same = office.customer.simulator.control("setup", {})["credentials"]
    old_tokens = office.customer.tokens()
    office.post(bob, f"checklist/{step}/fields/", same)
    assert office.stands == ("broken", "company-unproven")
    assert not Grant.objects.filter(access_ciphertext__isnull=False).exists(), "what the old secret had got is gone"
    office.work()
    assert office.stands == ("connected", "")
    assert office.runs() == 1
    assert not old_tokens & office.customer.tokens()
    assert recipients(mailoutbox) == []

    other = office.customer.simulator.control("setup", {"company": OTHER_COMPANY[chosen.slug]})["credentials"]
    office.post(bob, f"checklist/{step}/fields/", other)
    office.work()
    assert office.stands == ("broken", "other-company")
    assert recipients(mailoutbox) == [alice.email]
    nothing_is_read(office)


def test_a_secret_that_is_refused_proves_nothing_by_the_tokens_of_the_one_before(
    make_office: Callable[[AuthMethod], Office], alice: Any, bob: Any
) -> None:
    """The old token still lives and opens the right company; what is stored from now on may open another."""
    office = make_office(OF["procountor-m2m"])
    office.post(bob, "checklist/api-key/fields/", {"api_key": "never-was-a-key-0123456789"})
    office.work()
    office.post(bob, "checklist/company/check/")
    office.work()
    assert office.stands == ("broken", "company-unproven")
    assert office.runs() == 0


@pytest.mark.parametrize("auth_method", ["smartbusiness-consent", "hesabit-consent"])
def test_a_new_consent(
    auth_method: str, make_office: Callable[[AuthMethod], Office], alice: Any, bob: Any, mailoutbox: list[Any]
) -> None:
    """Where the provider names the company reading goes on by itself; where it does not, an owner is waited for."""
    office = make_office(OF[auth_method])
    step = next(each.slug for each in office.customer.provider.checkpoints("consent") if "consent" in each.connect)
    office.consent(bob, step, "consent")
    assert office.stands == ("broken", "company-unproven")
    office.work()
    if auth_method.startswith("smartbusiness"):
        assert (office.stands, office.runs()) == (("connected", ""), 1)
        assert recipients(mailoutbox) == []
        office.consent(bob, step, "consent", company=OTHER_COMPANY["smartbusiness"])
        office.work()
        assert office.stands == ("broken", "other-company")
        assert recipients(mailoutbox) == [alice.email]
    else:
        assert office.stands == ("broken", "company-unproven")
        assert office.mark("company") == "unconfirmed"
        assert recipients(mailoutbox) == [alice.email]
        assert "Only an owner" in office.post(bob, "checklist/company/confirm/")
        office.press(alice, "company")
        office.work()
        assert (office.stands, office.runs()) == (("connected", ""), 1)


def test_a_check_that_began_before_the_change_proves_nothing(
    make_office: Callable[[AuthMethod], Office], bob: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It asked with the old access, and comes home once the new one is stored."""
    office = make_office(OF["procountor-m2m"])
    real, other = ConnectionAsker.ask, {"company": OTHER_COMPANY["procountor"]}
    new_access = office.customer.simulator.control("setup", other)["credentials"]

    def ask(asker: ConnectionAsker, *arguments: Any) -> Any:
        answer = real(asker, *arguments)
        monkeypatch.setattr(ConnectionAsker, "ask", real)
        with acting_as("owner"):
            office.post(bob, "checklist/api-key/fields/", new_access)
            Job.objects.filter(kind=marks.CHECK, state="queued").delete()
        return answer

    monkeypatch.setattr(ConnectionAsker, "ask", ask)
    office.post(bob, "checklist/company/check/")
    with acting_as("worker"):
        job = Job.objects.get(kind=marks.CHECK, state="queued")
        work(str(job.id))
    assert office.stands == ("broken", "company-unproven"), "it was answered for the company before"
    office.work()
    assert office.stands == ("broken", "other-company"), "it was asked again, with what is stored now"
    assert office.runs() == 0
