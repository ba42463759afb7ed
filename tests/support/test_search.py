"""The one box: whatever of ours is pasted is landed on, in whatever stands around it, or listed when it is several things."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from allauth.account.forms import EmailAwarePasswordResetTokenGenerator
from allauth.account.models import EmailAddress, EmailConfirmationHMAC
from allauth.account.utils import user_pk_to_url_str
from django.conf import settings
from django.contrib import admin
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from connections.calls.models import Call
from connections.jobs.models import Job
from connections.sync.models import SyncRun, Trigger
from connections.tenancy.models import AuditEvent, SystemAuditEvent, Tenant
from connections.tenancy.scope import SYSTEM, staff_scope, tenant_scope
from connections.transport.models import ActivationRequest, AuthorizationAttempt, RequestLogEntry
from connections.vault.models import Connection, Credential, Grant, Pin
from portal.members import enrolment
from portal.members.models import Invitation
from portal.members.permissions import Role
from portal.members.services import invite
from portal.onboarding.models import Mark, Onboarding
from portal.support import search_queries
from tests.pages.test_foreign_ids import patterns
from tests.roles import acting_as
from tests.support.conftest import House, log_entry
from tests.support.pages import Page

FINGERPRINT = ":".join(["AB", "0C"] * 16)
Paste = Callable[[House], str]


@pytest.fixture
def search(sign_in: Callable[..., Any], dana: Any) -> Callable[[str], Any]:
    browser = sign_in(dana)
    return lambda typed: browser.get(reverse("admin:search"), {"q": typed})


@pytest.fixture
def full(house: House) -> House:
    """The house with what else has an id somewhere."""
    Connection.objects.filter(id=house.connection.id).update(
        settings={"client_id": "aamus-own-client-7", "api_url": "https://gks4.aamu.example/api"}
    )
    common = {"tenant": house.tenant, "connection": house.connection}
    Pin(**common, host="gks4.aamu.example:443", certificate="-", sha256=FINGERPRINT, ends_at=timezone.now(),
        seen_at=timezone.now()).save(force_insert=True)  # fmt: skip
    AuthorizationAttempt(**common, login="key-login", state_digest="s", session_digest="s", actor_name="a",
        redirect_uri="https://portal.example/", token_address="https://localhost:1/").save(force_insert=True)  # fmt: skip
    ActivationRequest(tenant=house.tenant, provider="procountor", environment="test", key_version=1,
        request_ciphertext=b"-", actor_name="a").save(force_insert=True)  # fmt: skip
    return house


def page(name: str, *args: Any) -> str:
    return settings.ORIGIN + reverse(name, args=args)


def at(what: str) -> Callable[[House], tuple[str, Any]]:
    """`sync_syncrun run`: a staff page and the row of the house that it is of."""
    name, _space, name_of_row = what.partition(" ")

    def there(house: House) -> tuple[str, Any]:
        row = house.membership.user if name_of_row == "alice" else getattr(house, name_of_row)
        return name, row.pk

    return there


REQUEST, RUN, CALL = at("transport_requestlogentry entry"), at("sync_syncrun run"), at("calls_call call")
CONNECTION, TENANT, PERSON = at("vault_connection connection"), at("tenancy_tenant tenant"), at("members_user alice")
JOB, MAIL = at("jobs_job job"), at("notices_outgoingmail mail")
EVENT, SYSTEM_EVENT = at("tenancy_auditevent event"), at("tenancy_systemauditevent system_event")
REGISTRATION = at("vault_clientregistration registration")

# Every identifier that a page, a mail or a log of ours shows, and the page that it leads to.
SHOWN: dict[str, tuple[Paste, Callable[[House], tuple[str, Any]]]] = {
    # ids of ours, on pages, in audit trails and logs
    "entry": (lambda house: str(house.entry.id), REQUEST),
    "run": (lambda house: str(house.run.id), RUN),
    "call": (lambda house: str(house.call.id), CALL),
    "connection": (lambda house: str(house.connection.id), CONNECTION),
    "tenant": (lambda house: str(house.tenant.id), TENANT),
    "job": (lambda house: str(house.job.id), JOB),
    "mail": (lambda house: str(house.mail.id), MAIL),
    "audit event": (lambda house: str(house.event.id), EVENT),
    "system audit event": (lambda house: str(house.system_event.id), SYSTEM_EVENT),
    "registration": (lambda house: str(house.registration.id), REGISTRATION),
    "membership": (lambda house: str(house.membership.id), TENANT),
    "invitation": (lambda house: str(house.invitation.id), TENANT),
    "onboarding": (lambda house: str(Onboarding.objects.get().id), CONNECTION),
    "mark": (lambda house: str(Mark.objects.all()[0].id), CONNECTION),
    "credential": (lambda house: str(Credential.objects.values_list("id", flat=True)[0]), CONNECTION),
    "grant": (lambda house: str(Grant.objects.values_list("id", flat=True)[0]), CONNECTION),
    "pin": (lambda house: str(Pin.objects.get().id), CONNECTION),
    "login at the provider": (lambda house: str(AuthorizationAttempt.objects.get().id), CONNECTION),
    "activation": (lambda house: str(ActivationRequest.objects.get().id), TENANT),
    "a line of our log": (lambda house: f"job {house.job.id} (sync.run) was taken over or cancelled", JOB),
    "a person's number": (lambda house: f"staff {house.membership.user_id}: GET /admin/", PERSON),
    # beginnings of them
    "short entry": (lambda house: str(house.entry.id)[:8], REQUEST),
    "short run": (lambda house: str(house.run.id)[:8], RUN),
    "cut entry": (lambda house: f"{str(house.entry.id)[:13]}…", REQUEST),
    "short audit event": (lambda house: str(house.event.id)[:8].upper(), EVENT),
    # of others
    "request id": (lambda house: house.entry.provider_request_id, REQUEST),
    "company id": (lambda house: "4711", CONNECTION),
    "our client id": (lambda house: "pilotage-test", REGISTRATION),
    "their client id": (lambda house: "aamus-own-client-7", CONNECTION),
    "server": (lambda house: "https://gks4.aamu.example/api/", CONNECTION),
    "fingerprint": (lambda house: FINGERPRINT, CONNECTION),
    "bare fingerprint": (lambda house: FINGERPRINT.replace(":", "").lower(), CONNECTION),
    # e-mail addresses
    "e-mail": (lambda house: "Alice@aamu.example", PERSON),
    "invited": (lambda house: "new@aamu.example", TENANT),
    "part of an e-mail": (lambda house: "alice@", PERSON),
    "middle of an e-mail": (lambda house: "lice@aamu.exam", PERSON),
    # pages of ours
    "connection's page": (lambda house: page("connection", "aamu", house.connection.id), CONNECTION),
    "run's page": (lambda house: page("run", "aamu", house.connection.id, house.run.id), RUN),
    "call's page": (lambda house: page("call", "aamu", house.connection.id, house.call.id), CALL),
    "checkpoint": (lambda house: page("checkpoint", "aamu", house.connection.id, "api-key") + "?x=1#y", CONNECTION),
    "tenant's page": (lambda house: page("home", "aamu"), TENANT),
    "team": (lambda house: page("team", "aamu"), TENANT),
    "path alone": (lambda house: reverse("connection", args=["aamu", house.connection.id]), CONNECTION),
    "activation's page": (lambda house: page("activation", "aamu", ActivationRequest.objects.get().id), TENANT),
    "callback": (lambda house: page("callback", "procountor"), REGISTRATION),
    "staff page": (lambda house: page("admin:sync_syncrun_change", house.run.id), RUN),
    "staff page of a person": (lambda house: page("admin:members_user_change", house.membership.user_id), PERSON),
    "staff list": (lambda house: page("admin:calls_call_changelist") + f"?q={house.call.id}", CALL),
}  # fmt: skip

AROUND = {
    "alone": "{}",
    "quoted": " “{}”. ",
    "in brackets": "<{}>;",
    "in words": "Good morning! It says {} and nothing else; what is wrong?",
    "in lines": "Hello,\r\n\r\n> {}\r\n\r\nbest regards",
    "with a name": "id: '{}'",
    "copied with what nobody sees": "\u200b\ufeff{}\u2060",
}


@pytest.mark.parametrize("around", AROUND)
def test_whatever_we_show_leads_to_its_page_in_whatever_stands_around_it(
    full: House, search: Callable[[str], Any], around: str
) -> None:
    wrong = []
    for what, (pasted, lands_on) in SHOWN.items():
        name, key = lands_on(full)
        address = reverse(f"admin:{name}_change", args=[key])
        answer = search(AROUND[around].format(pasted(full)))
        landed = answer["Location"] if answer.status_code == 302 else Page(answer.content).addresses
        if landed != address and (around == "alone" or address not in landed):
            wrong.append((what, landed))
    assert wrong == []


def test_several_of_them_at_once_are_all_listed(full: House, search: Callable[[str], Any]) -> None:
    whole = ("run", "entry", "call", "connection", "job", "audit event", "our client id", "e-mail", "team")
    listed = Page(search("\n".join(SHOWN[what][0](full) for what in whole)).content).addresses
    for name, key in (SHOWN[what][1](full) for what in whole):
        assert reverse(f"admin:{name}_change", args=[key]) in listed, name


def test_links_that_were_mailed_lead_to_whose_they_are_and_are_not_kept(
    full: House, search: Callable[[str], Any], dana: Any, ada: Any, alice: Any, rf: Any
) -> None:
    with tenant_scope(full.tenant.id):
        invited = invite(
            tenant=full.tenant, email="late@aamu.example", role=Role.VIEWER, actor=SYSTEM, up_to=Role.OWNER
        )
    token = invited.rstrip("/").rpartition("/")[2]
    reset = f"{user_pk_to_url_str(alice)}-{EmailAwarePasswordResetTokenGenerator().make_token(alice)}"
    unconfirmed = EmailAddress.objects.create(user=alice, email="other@aamu.example", verified=False)
    confirm = EmailConfirmationHMAC(unconfirmed).key
    links = {
        page("invitation", token): reverse("admin:tenancy_tenant_change", args=[full.tenant.id]),
        f"{settings.ORIGIN}/account/password/reset/key/{reset}/": reverse(
            "admin:members_user_change", args=[alice.pk]
        ),
        page("account_confirm_email", confirm): reverse("admin:members_user_change", args=[alice.pk]),
    }
    for link, address in links.items():
        assert search(f"I was sent {link}. What is it?")["Location"] == address
    details = str(list(SystemAuditEvent.objects.filter(action="staff.searched").values_list("details", flat=True)))
    for secret in (token, reset.partition("-")[2], confirm):
        assert secret not in details


def test_every_address_of_the_portal_that_names_a_row_is_read(full: House, search: Callable[[str], Any]) -> None:
    """A page that is added later leads somewhere, too: to its own row, its connection or its tenant."""
    values = {
        "slug": "aamu", "connection": full.connection.id, "run": full.run.id, "call": full.call.id,
        "invitation": full.invitation.id, "membership": full.membership.id,
        "activation": ActivationRequest.objects.get().id, "provider": "procountor", "environment": "test",
        "export": uuid4(), "file": uuid4(),
    }  # fmt: skip

    def value(name: re.Match[str]) -> str:
        return str(values.get(name[1].removesuffix("_id").removesuffix("_slug"), "some-thing"))

    lost = []
    for route, _converters in patterns(without=("admin/", "account/")):
        names = re.findall(r"<(?:\w+:)?(\w+)>", route)
        # `number` is that of a press which waits in one person's session, and of no row.
        if not names or "token" in names or "key" in names or names == ["number"]:
            continue
        address = re.sub(r"<(?:\w+:)?(\w+)>", value, route)
        if b"Nothing goes by this name" in search(f"{settings.ORIGIN}/{address}").content:
            lost.append(address)
    assert lost == []


def test_from_a_customers_mail_to_the_requests_row_in_two_presses(
    house: House, sign_in: Callable[..., Any], dana: Any
) -> None:
    entry = log_entry(house.tenant, house.connection, run_id=house.run.id, provider_request_id="9f-3c/77=a")
    mail = (
        "Hello,\n\nour reading of 29 Nov 2026, 20:56 stopped. Your page says:\n\n"
        f"  Request 9f-3c/77=a\n  Run “{house.run.id}”\n\nCan you see why?\nAlice (alice@aamu.example)"
    )
    browser = sign_in(dana)
    listed = Page(browser.get(reverse("admin:search"), {"q": mail}).content)  # the first press
    assert [row.split(" ")[0] for row in listed.rows[1:]] == ["Request", "Sync", "Person"]
    address = listed.links["GET /invoices"]
    assert address.endswith(f"{entry.id}/change/")
    assert "9f-3c/77=a" in Page(browser.get(address).content).text  # the second
    around = next(link for text, link in listed.links.items() if "29 Nov 2026, 20:56" in text)
    assert "tenant=aamu" in around
    assert "since=2026-11-29T18%3A51%3A00" in around, "five minutes before, in a moment that is the same for everybody"
    assert browser.get(around).status_code == 200


def test_a_request_id_alone_in_a_mail_is_one_press(house: House, search: Callable[[str], Any]) -> None:
    answer = search(f"The invoice failed.\r\nRequest id: {house.entry.provider_request_id}.\r\nRegards, Bob")
    assert answer["Location"] == reverse("admin:transport_requestlogentry_change", args=[house.entry.id])


def test_of_several_things_ten_of_a_kind_are_listed_and_a_link_shows_the_rest(
    house: House, search: Any, sign_in: Callable[..., Any], dana: Any
) -> None:
    for number in range(60):
        log_entry(
            house.tenant,
            house.connection,
            provider_request_id="asked-often",
            at=timezone.now() - timedelta(seconds=number),
        )
    listed = Page(search("asked-often").content)
    assert len([row for row in listed.rows if row.startswith("Request ")]) == 10, "a short list stays short"
    assert "things go by this" not in listed.text, "ten of sixty are not ten"
    assert "of each kind the first few" in listed.text
    whole = Page(sign_in(dana).get(listed.links["All request log that go by this"]).content)
    assert len([row for row in whole.rows if "GET /invoices" in row]) == 60


def test_a_name_is_searched_among_tenants_companies_and_people(house: House, search: Any) -> None:
    kinds = [row.split(" ")[0] for row in Page(search("aamu").content).rows[1:]]
    assert kinds[:2] == ["Tenant", "Connection"]
    assert set(kinds[2:]) == {"Person"}, "the name stands in their addresses"


def test_of_thousands_of_tenants_it_is_said_what_is_left_out(
    house: House, search: Any, sign_in: Callable[..., Any], dana: Any
) -> None:
    Tenant.objects.bulk_create(Tenant(slug=f"kauppa-{number:03}", name=f"Kauppa {number:03}") for number in range(111))
    listed = Page(search("kauppa").content)
    assert len(listed.rows) == 11
    browser, names = sign_in(dana), []
    address = listed.links["All tenants that go by this"]
    while address:
        tenants = Page(browser.get(address).content)
        names += re.findall(r"kauppa-\d{3}", " ".join(tenants.rows))
        following = tenants.links.get("Next page", "")
        address = reverse("admin:tenancy_tenant_changelist") + following if following else ""
    assert names == [f"kauppa-{number:03}" for number in range(111)]


@pytest.mark.parametrize("log", ["transport_requestlogentry", "sync_syncrun", "calls_call"])
def test_a_long_table_reads_many_tenants_and_says_where_it_stops(
    house: House, sign_in: Callable[..., Any], dana: Any, log: str
) -> None:
    Tenant.objects.bulk_create(Tenant(slug=f"kauppa-{number:03}", name=f"Kauppa {number:03}") for number in range(111))
    late = Tenant.objects.get(slug="kauppa-030")
    connection = Connection(tenant=late, provider="procountor", environment="test")
    connection.save(force_insert=True)
    log_entry(late, connection)
    SyncRun(tenant=late, connection=connection, trigger=Trigger.HAND).save(force_insert=True)
    Call(tenant=late, connection=connection, operation="invoices.list", is_write=False).save(force_insert=True)
    browser = sign_in(dana)
    page = Page(browser.get(reverse(f"admin:{log}_changelist"), {"q": "kauppa"}).content)
    assert [row for row in page.rows if "Kauppa 030" in row], "the thirty-first"
    assert "More than 100 tenants go by this name" in page.text
    assert "q=kauppa" in page.links["Show all tenants that go by it, and choose one"]


@pytest.mark.parametrize("typed", ["", "   ", '""', "nobody knows this", "%", "nobody@nowhere.example", "0" * 5000])
def test_nothing_is_said_so_and_what_was_typed_is_kept(house: House, search: Any, typed: str) -> None:
    answer = search(typed)
    assert answer.status_code == 200
    assert ("Nothing goes by this name" in answer.content.decode()) is bool(typed)
    assert ("its beginning was read" in answer.content.decode()) is (len(typed) > 4000)


def test_what_was_pasted_is_text(house: House, search: Any) -> None:
    page = search("<script>alert(1)</script>").content.decode()
    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page


def test_the_number_of_queries_does_not_grow_with_what_is_pasted(house: House, search: Any) -> None:
    def count(pasted: str) -> int:
        with CaptureQueriesContext(database) as queries:
            search(pasted)
        return len(queries)

    few = f"{house.run.id} {house.entry.id} {house.entry.provider_request_id} alice@aamu.example 20 Nov 2026, 10:00"
    more = [log_entry(house.tenant, house.connection) for _ in range(15)]
    many = f"{few} " + " ".join(f"{entry.id} {entry.provider_request_id}" for entry in more)
    count(few)
    assert count(many) == count(few)
    assert count(many) <= 40, "session, scopes and savepoints included"


@pytest.mark.parametrize(
    ("index", "question"),
    [
        ("vault_connection_client_id", lambda house: search_queries.connections_with_client_ids(["a", "b"])),
        ("vault_pin_fingerprint", lambda house: Pin.objects.filter(sha256__in=[FINGERPRINT])),
        ("vault_connection_settings", lambda house: Connection.objects.filter(settings__contains={"api_url": "x"})),
        ("tenancy_system_audit_subject", lambda house: SystemAuditEvent.objects.filter(subject__in=["a"])),
        ("tenancy_system_audit_actor", lambda house: SystemAuditEvent.objects.filter(actor_id__in=[1])),
        ("tenancy_system_audit_begins", lambda house: SystemAuditEvent.objects.filter(action__startswith="member.")),
        ("tenancy_audit_of_subject", lambda house: AuditEvent.objects.filter(subject__in=["a"])),
        ("tenancy_audit_of_actor", lambda house: AuditEvent.objects.filter(actor_id__in=[1])),
        ("tenancy_audit_action_begins", lambda house: AuditEvent.objects.filter(action__startswith="member.")),
        ("provider_request_id", lambda house: RequestLogEntry.objects.filter(
            search_queries.with_request_ids([f"n{number}" for number in range(130)]))),
        ("_id_idx", lambda house: RequestLogEntry.objects.filter(search_queries.pk_in_ranges([(house.run.id, house.run.id)]))),
        ("jobs_of_subject", lambda house: Job.objects.filter(search_queries.jobs_about([house.run.id]))),
        ("members_invitation_email", lambda house: Invitation.objects.filter(email__in=["a@b.example"])),
    ],
)  # fmt: skip
def test_each_look_up_has_an_index(house: House, index: str, question: Callable[[House], Any]) -> None:
    """As the staff's role, behind its row security. Where the way through the whole table is dear, this one is taken."""
    if index == "vault_pin_fingerprint":
        fill_pins(house.connection)
    with acting_as("web"), staff_scope():
        with database.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
        plan = question(house).order_by().explain()
    assert index in plan, plan
    assert "Seq Scan" not in plan, plan


def fill_pins(connection: Any) -> None:
    """So many that the way through another index is dear, too."""
    now = timezone.now()
    of = {"tenant_id": connection.tenant_id, "connection_id": connection.id, "certificate": "-"}
    Pin.objects.bulk_create(
        Pin(host=f"host-{number}:443", sha256=f"{number:095}", **of, ends_at=now, seen_at=now) for number in range(500)
    )
    with database.cursor() as cursor:
        cursor.execute("ANALYZE vault_pin")


@pytest.mark.parametrize(
    ("log", "index"), [(Tenant, "tenancy_tenant_by_name"), (Connection, "vault_connection_newest")]
)
def test_a_page_of_a_list_is_read_along_an_index(house: House, log: Any, index: str) -> None:
    page = admin.site.get_model_admin(log)
    order = [page.paged_by, "-pk" if page.paged_by.startswith("-") else "pk"]
    with acting_as("web"), staff_scope():
        with database.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
        plan = log.objects.order_by(*order)[:51].explain()
    assert index in plan, plan


def test_an_enrolment_link_leads_to_its_person(
    house: House, sign_in: Callable[..., Any], dana: Any, ada: Any, rf: Any
) -> None:
    request = rf.get("/")
    request.user = ada
    address = enrolment.make_link(user=dana, made_by=ada, request=request)
    answer = sign_in(ada).get(reverse("admin:search"), {"q": address})
    assert answer["Location"] == reverse("admin:members_user_change", args=[dana.pk])
