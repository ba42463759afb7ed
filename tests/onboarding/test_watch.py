"""The watch asks every night what was proved once: what changed reopens its checkpoint, and what passes by itself nothing."""

from __future__ import annotations

import copy
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

import pytest
from django.core import mail
from django.urls import reverse
from django.utils import timezone as django_timezone

from connections.jobs.models import Job
from connections.jobs.services import enqueue
from connections.providers import registry
from connections.providers.procountor.rights import right_in_words
from connections.spec.checklist import MarkState, ProbeAnswer
from connections.spec.errors import CallFailed, Forbidden, QuotaExhausted, Unauthorized, Unavailable, Unreadable
from connections.tenancy.scope import SYSTEM
from connections.transport import faults
from connections.transport.models import RequestLogEntry
from connections.vault.models import Connection
from connections.vault.secret import Secret
from connections.vault.services import store_credential
from portal.incidents.models import Incident, Notice
from portal.onboarding import services, watch_plan
from portal.onboarding.marks import ask_check
from portal.onboarding.models import Evidence, Mark, Onboarding
from portal.onboarding.probing import ConnectionAsker
from portal.onboarding.watch_plan import WATCH, next_look
from tests.incidents.conftest import Office, mailed, office
from tests.onboarding.test_engine import DONE, live, walker

__all__ = ["live", "office", "walker"]  # fixtures
pytestmark = pytest.mark.usefixtures("committed_db")
PROCOUNTOR = registry.all_providers()["procountor"]
NEEDED = sorted({path for stream in PROCOUNTOR.streams if stream.permission for path in stream.permission.needs})


def all_rights() -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for path in NEEDED:
        section, _, name = path.partition(".")
        tree.setdefault(section, {})[name] = "VIEWING_RIGHTS"
    return tree


class World:
    """What Procountor answers each connection, and how often it was asked."""

    def __init__(self) -> None:
        self.sessions: dict[Any, dict[str, Any]] = {}
        self.rights: dict[Any, dict[str, Any]] = {}
        self.failures: dict[Any, Exception] = {}
        self.asked: list[str] = []

    def ask(self, asker: ConnectionAsker, operation: str, arguments: Any = None) -> ProbeAnswer:
        key = asker.connection.id
        self.asked.append(operation)
        if key in self.failures:
            raise self.failures[key]
        body = self.sessions[key] if operation == "session" else {"rights": self.rights[key]}
        asker.entry_id = uuid4()
        return ProbeAnswer(copy.deepcopy(body), asker.entry_id)


class Nights:
    """One tenant's connections that are live, each with all of its checkpoints proved."""

    def __init__(self, office: Office, world: World, who: Any) -> None:
        self.office, self.world, self.who = office, world, who

    def connect(self, number: int = 1) -> Connection:
        connection = self.office.connect(self.who, number)
        self.world.sessions[connection.id] = {
            "companyId": number,
            "name": f"Books {number}",
            "productVersion": "FINANCIALS",
            "userId": 7,
            "userName": "Aamu API",
        }
        self.world.rights[connection.id] = all_rights()
        with self.office.scope("web"):
            store_credential(connection=connection, name="api_key", secret=Secret("k" * 20), actor=SYSTEM)
            services.attest(mark=self.mark(connection, "m2m-only"), actor=self.who.actor)
            ask_check(mark=self.mark(connection, "api-key"))
        self.office.work_off()
        with self.office.scope("web"):
            services.confirm(mark=self.mark(connection, "technical-user"), actor=self.who.actor)
        self.office.work_off()
        assert self.states(connection) == DONE
        return connection

    def mark(self, connection: Connection, checkpoint: str) -> Mark:
        rows = Mark.objects.select_related("onboarding__connection__tenant")
        return rows.get(onboarding__connection=connection, checkpoint=checkpoint)

    def states(self, connection: Connection) -> dict[str, str]:
        rows = Mark.objects.filter(onboarding__connection=connection)
        return dict(rows.values_list("checkpoint", "state"))

    def changed(self, connection: Connection) -> dict[str, str]:
        return {slug: state for slug, state in self.states(connection).items() if state != DONE[slug]}

    def evidence(self, connection: Connection, checkpoint: str) -> tuple[str, dict[str, str]]:
        newest = Evidence.objects.filter(mark=self.mark(connection, checkpoint)).first()
        assert newest is not None
        return newest.code, newest.values

    def mailed_kinds(self, connection: Connection) -> list[str]:
        """What people were mailed about it, one after the other, beside that it is live."""
        rows = Notice.objects.filter(connection_id=connection.id, outcome="mailed").exclude(kind="live")
        return list(rows.order_by("created_at").values_list("kind", flat=True))

    def pass_one(self) -> dict[str, int]:
        """The next night; the mails that came of it by their recipients."""
        Onboarding.objects.update(watched_at=None)
        Job.objects.filter(kind=WATCH, state="queued").update(due_at=django_timezone.now())
        self.office.work_off()
        Notice.objects.filter(ended_at=None).update(due_at=django_timezone.now())
        Job.objects.filter(kind="incidents.mail_person", state="queued").update(due_at=django_timezone.now())
        self.office.work_off()
        return mailed()


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()
    monkeypatch.setattr(ConnectionAsker, "ask", lambda asker, *arguments: world.ask(asker, *arguments))
    monkeypatch.setattr(ConnectionAsker, "fresh_token", lambda asker: None)
    return world


@pytest.fixture
def nights(office: Office, world: World, alice: Any) -> Nights:
    return Nights(office, world, alice)


def test_a_night_without_a_change_asks_each_thing_once_and_says_nothing(nights: Nights) -> None:
    connection = nights.connect()
    before = Evidence.objects.count()
    nights.world.asked.clear()
    checked_at = nights.mark(connection, "rights").checked_at
    assert nights.pass_one() == {}
    assert sorted(nights.world.asked) == ["rights", "session"]
    assert (nights.changed(connection), Evidence.objects.count(), Incident.objects.count()) == ({}, before, 0)
    assert nights.mark(connection, "rights").checked_at > checked_at
    assert Onboarding.objects.get(connection=connection).watched_at is not None


def take_right(world: World, connection: Connection) -> None:
    section, _, name = NEEDED[0].partition(".")
    world.rights[connection.id][section][name] = "NO_ACCESS"


def add_right(world: World, connection: Connection) -> None:
    world.rights[connection.id]["salary"] = {"management": "ALL_RIGHTS"}


def change_user(world: World, connection: Connection) -> None:
    world.sessions[connection.id] |= {"userId": 8, "userName": "Usva API"}


def change_product(world: World, connection: Connection) -> None:
    world.sessions[connection.id]["productVersion"] = "SOLO"


def change_company(world: World, connection: Connection) -> None:
    world.sessions[connection.id] |= {"companyId": 99, "name": "Usva Oy"}


def revoke_key(world: World, connection: Connection) -> None:
    fault = PROCOUNTOR.faults.find("api-key-refused")
    assert fault is not None
    world.failures[connection.id] = Unauthorized(fault, entry_id=uuid4())


CHANGES: list[tuple[Any, str, str, str, list[str]]] = [
    (take_right, "rights", "failing", "rights-lost", [right_in_words(NEEDED[0]), "no longer"]),
    (add_right, "rights", "unconfirmed", "rights-more", ["Management (Salary)"]),
    (change_user, "technical-user", "unconfirmed", "user-changed", ["“Aamu API” (id 7)", "“Usva API” (id 8)"]),
    (change_product, "company", "unconfirmed", "product-changed", ["was FINANCIALS", "is SOLO now"]),
    (change_company, "api-key", "failing", "company-other", ["“Usva Oy”", "99", "“Books 5”", "company id 5)"]),
    (revoke_key, "api-key", "failing", "api-key-refused", ["API key"]),
]


def test_each_change_reopens_its_checkpoint_with_the_difference_and_is_healed_once_it_is_put_right(
    nights: Nights, sign_in: Any
) -> None:
    connections = [nights.connect(number) for number in range(1, len(CHANGES) + 1)]
    other = nights.connect(len(CHANGES) + 1)
    session, rights = copy.deepcopy((nights.world.sessions, nights.world.rights))
    for connection, (change, *_) in zip(connections, CHANGES, strict=True):
        change(nights.world, connection)
    nights.pass_one()
    client = sign_in(nights.who)
    for connection, (_, checkpoint, state, code, words) in zip(connections, CHANGES, strict=True):
        assert nights.changed(connection) == {checkpoint: state}
        assert nights.evidence(connection, checkpoint)[0] == code
        page = client.get(reverse("checkpoint", args=["aamu", connection.id, checkpoint])).content.decode()
        assert all(word in page for word in words), (code, page)
        assert nights.mailed_kinds(connection) == ["broken"] or code == "company-other", code
    assert nights.changed(other) == {}
    assert nights.mailed_kinds(other) == []
    home = client.get(reverse("home", args=["aamu"])).content.decode()
    assert home.count("Needs you:") == len(CHANGES), "green is shown of none of them"
    incidents = set(Incident.objects.filter(closed_at=None).values_list("connection_id", flat=True))
    assert incidents == {connection.id for connection in connections}
    assert Incident.objects.count() == len(CHANGES)
    assert nights.pass_one() == {}, "the same is said once"
    nights.world.sessions, nights.world.rights, nights.world.failures = session, rights, {}
    with nights.office.scope("web"):  # where the company is in doubt nothing is asked before somebody looks
        ask_check(mark=nights.mark(connections[4], "api-key"))
    nights.pass_one()
    for connection in connections:
        assert nights.changed(connection) == {}
        assert nights.mailed_kinds(connection)[-1:] == ["healed"]
        assert len(nights.mailed_kinds(connection)) <= 2
    assert not Incident.objects.filter(closed_at=None, responsible="customer").exists()
    assert nights.pass_one() == {}


def test_what_a_person_says_is_meant_ends_it(nights: Nights) -> None:
    connection = nights.connect()
    change_user(nights.world, connection)
    nights.pass_one()
    with nights.office.scope("web"):
        services.confirm(mark=nights.mark(connection, "technical-user"), actor=nights.who.actor)
    nights.office.work_off()
    assert nights.changed(connection) == {}
    assert not Incident.objects.filter(closed_at=None).exists()
    assert nights.evidence(connection, "technical-user")[1]["user_id"] == "8"


def soon() -> datetime:
    return django_timezone.now() + timedelta(minutes=5)


TROUBLE: list[CallFailed] = [
    Unavailable(faults.NO_ANSWER, retry_at=soon()),
    Unavailable(faults.TURNED_AWAY, retry_at=soon()),
    QuotaExhausted(faults.QUOTA, retry_at=soon()),
    Unreadable(faults.UNREADABLE),
]


def test_what_passes_by_itself_reopens_nothing_and_is_asked_again(nights: Nights) -> None:
    connections = [nights.connect(number) for number in range(len(TROUBLE))]
    nights.world.failures |= {each.id: trouble for each, trouble in zip(connections, TROUBLE, strict=True)}
    assert nights.pass_one() == {}
    for connection in connections:
        assert nights.changed(connection) == {}
        assert Job.objects.filter(kind=WATCH, subject=connection.id, state="queued").count() == 1
    assert not Incident.objects.filter(responsible="customer").exists()
    nights.world.failures.clear()
    take_right(nights.world, connections[0])
    nights.pass_one()
    assert nights.changed(connections[0]) == {"rights": "failing"}, "what happened meanwhile is seen afterwards"


def test_a_refusal_of_a_single_list_leaves_the_others_alone(nights: Nights) -> None:
    connection = nights.connect()
    fault = PROCOUNTOR.faults.find("right-missing")
    assert fault is not None
    nights.world.failures[connection.id] = Forbidden(fault, entry_id=uuid4())
    nights.pass_one()
    assert nights.changed(connection) == {"rights": "failing"}


def test_a_green_run_does_not_open_anew_what_a_check_alone_can_judge(nights: Nights, world: World) -> None:
    """A run reads its lists, and says nothing of whose user it was: no mail says that it works, and none that it does not."""
    connection = nights.connect()
    change_user(world, connection)
    assert nights.pass_one() == {"alice@aamu.example": 1}
    nights.office.run(connection)
    assert mailed() == {}
    assert Incident.objects.get().is_open


def test_nobody_makes_it_ask_twice_in_a_night_or_of_what_is_not_live(nights: Nights, office: Office) -> None:
    """Whoever has the web's login may queue the job: it asks nothing before its next night."""
    connection = nights.connect()
    nights.pass_one()
    nights.world.asked.clear()
    for _ in range(3):
        with office.scope("web"):
            enqueue(kind=WATCH, subject=connection.id, tenant_id=office.tenant.id)
        office.work_off()
    for state in ("paused", "setup", "disconnected"):
        Connection.objects.filter(id=connection.id).update(state=state)
        with office.scope("web"):
            enqueue(kind=WATCH, subject=connection.id, tenant_id=office.tenant.id)
        nights.pass_one()
    assert nights.world.asked == []


def test_turns_are_spread_over_the_night_and_the_same_every_night(aamu: Any) -> None:
    noon = datetime(2026, 6, 1, 12, tzinfo=timezone.utc)
    turns = set()
    for number in range(50):
        connection = Connection(tenant=aamu)
        first = next_look(connection, "Europe/Helsinki", noon)
        second = next_look(connection, "Europe/Helsinki", first)
        assert second - first == timedelta(days=1)
        local = first.astimezone(watch_plan.zone_named("Europe/Helsinki"))
        assert local.hour < 5, number
        turns.add(first)
    assert len(turns) > 40


def test_it_costs_three_requests_of_a_real_server_and_finds_a_revoked_key(live: Any, sandbox: Any) -> None:
    before = RequestLogEntry.objects.count()
    Onboarding.objects.update(watched_at=None)
    Job.objects.filter(kind=WATCH, state="queued").update(due_at=django_timezone.now())
    live.work_off()
    operations = list(RequestLogEntry.objects.order_by("-at").values_list("operation", flat=True))
    assert len(operations) - before == 3, operations
    assert live.states() == DONE
    sandbox.revoke(live.setup["api_key"])
    Onboarding.objects.update(watched_at=None)
    Job.objects.filter(kind=WATCH, state="queued").update(due_at=django_timezone.now())
    live.work_off()
    Job.objects.filter(kind=WATCH, state="queued").update(due_at=django_timezone.now())
    live.work_off()
    assert {slug: state for slug, state in live.states().items() if state != DONE[slug]} == {
        "api-key": MarkState.FAILING
    }
    mail.outbox.clear()


def test_the_maintenance_plans_it_for_what_has_none(nights: Nights) -> None:
    from portal.operations.maintenance import _plan_looks

    connection = nights.connect()
    Job.objects.filter(kind=WATCH).delete()
    _plan_looks()
    assert Job.objects.filter(kind=WATCH, subject=connection.id, state="queued").count() == 1
