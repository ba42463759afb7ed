"""An incident is opened and closed by evidence, once for each cause, and mailed once when it opens and once when it is over."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import IntegrityError, ProgrammingError, transaction
from django.urls import reverse
from django.utils import timezone

from connections.jobs.services import enqueue
from connections.spec.faults import Responsible
from connections.sync.models import RunState, StreamProgress, SyncRun, Trigger
from connections.sync.services import RUN_ENDED
from connections.vault.models import Connection, ConnectionState
from portal.dashboard.disconnection import disconnect
from portal.incidents import lifecycle
from portal.incidents.lifecycle import Cause, Sighting, close_by_check, note_trouble
from portal.incidents.models import Evident, Incident, Notice, NoticeOutcome
from portal.members.contacts import set_contact
from portal.members.models import Membership
from tests.incidents.conftest import MENDABLE, let_pass, mailed

pytestmark = pytest.mark.usefixtures("committed_db", "no_checks")


def test_a_fault_is_one_incident_with_one_mail_and_its_end_one_more(office: Any, alice: Any, bob: Any) -> None:
    connection = office.connect(bob)
    office.run(connection, MENDABLE)
    office.run(connection, MENDABLE)
    [incident] = office.incidents()
    assert (incident.cause, incident.times_seen, incident.is_open) == (MENDABLE, 2, True)
    [message] = mail.outbox
    page = reverse("checkpoint", args=["aamu", connection.id, incident.checkpoint])
    assert page in message.body
    assert mailed() == {bob.email: 1}, "whoever connected it, and not the owner"
    green = office.run(connection)
    [incident] = office.incidents()
    assert (incident.is_open, incident.closed_by, incident.closing_run_id) == (False, Evident.RUN, green.id)
    assert mailed() == {bob.email: 1}
    office.run(connection)
    assert mailed() == {}, "nothing is left to say"


def test_going_live_is_said_once(office: Any, bob: Any) -> None:
    connection = office.connect(bob)
    assert Notice.objects.get().outcome == NoticeOutcome.MAILED
    office.run(connection)
    assert (mailed(), Notice.objects.count()) == ({}, 1)


def test_it_names_the_lists_that_could_not_be_read(office: Any, alice: Any) -> None:
    connection = office.connect(alice)
    office.run(connection, "parts-missed", ("accounts",))
    assert office.incidents()[0].values == {"streams": "accounts"}
    assert "ccounts" in mail.outbox[0].body


def test_a_set_up_that_has_never_worked_opens_none(office: Any, alice: Any) -> None:
    connection = office.connect(alice)
    Connection.objects.filter(id=connection.id).update(state=ConnectionState.SETUP)
    office.run(connection, MENDABLE)
    assert (office.incidents(), mailed()) == ([], {})


@pytest.mark.parametrize("fault", ["quota", "no-answer", "turned-away", "provider-in-trouble"])
def test_what_passes_by_itself_is_an_incident_once_it_has_lasted(office: Any, alice: Any, fault: str) -> None:
    connection = office.connect(alice)
    run = office.run(connection, fault)
    let_pass(timedelta(hours=23))
    office.work_off()
    assert office.incidents() == []
    type(run).objects.filter(id=run.id).update(started_at=timezone.now() - timedelta(hours=25))
    let_pass(timedelta(hours=2))
    office.work_off()
    assert [each.cause for each in office.incidents()] == [fault]
    assert mailed() == {alice.email: 1}
    office.run(connection)
    assert not office.incidents(closed_at=None)


def test_what_is_ours_to_mend_is_no_mail_to_a_customer(office: Any, alice: Any) -> None:
    office.run(office.connect(alice), "no-registration")
    assert [each.responsible for each in office.incidents()] == ["us"]
    assert mailed() == {}


def test_what_a_check_shows_is_mailed_after_a_grace_and_closed_by_one(office: Any, alice: Any) -> None:
    connection = office.connect(alice)
    check = Sighting(Evident.CHECK)
    cause = Cause("rights-missing", Responsible.CUSTOMER, "rights")
    with office.scope():
        note_trouble(connection=connection, cause=cause, sighting=check)
        note_trouble(connection=connection, cause=Cause(MENDABLE, Responsible.CUSTOMER, "rights"), sighting=check)
    office.work_off()
    assert mailed() == {}
    assert [each.times_seen for each in office.incidents()] == [2], "the same checkpoint is mended once"
    with office.scope():
        assert close_by_check(connection=connection, checkpoints=["api-key"], entry_id=None) == 0
        assert close_by_check(connection=connection, checkpoints=["rights"], entry_id=None) == 1
    let_pass(timedelta(hours=1), (Notice, ("due_at",)))
    office.work_off()
    assert mailed() == {}, "it was over before anybody was told"
    assert Notice.objects.get(kind="broken").outcome == NoticeOutcome.OVERTAKEN


def test_a_doubt_about_the_company_is_ended_by_its_proof_alone(office: Any, alice: Any) -> None:
    connection = office.connect(alice)
    cause = Cause("other-company", Responsible.CUSTOMER, "company")
    with office.scope():
        note_trouble(connection=connection, cause=cause, sighting=Sighting(Evident.CHECK), is_told_elsewhere=True)
        assert close_by_check(connection=connection, checkpoints=["company"], entry_id=None) == 0
        assert close_by_check(connection=connection, checkpoints=[], entry_id=None, proves_company=True) == 1
    office.work_off()
    assert mailed() == {alice.email: 1}


def test_who_is_mailed(office: Any, alice: Any, bob: Any, vera: Any) -> None:
    connection = office.connect(bob)
    Membership.objects.filter(user=bob).update(role="viewer")
    office.run(connection, MENDABLE)
    assert mailed() == {alice.email: 1}, "the owners, where nobody else may act"
    office.run(connection)
    mailed()
    with office.scope("web"):
        set_contact(tenant=office.tenant, user_id=vera.pk, actor=alice.actor)
    Membership.objects.filter(user=vera).update(role="operator")
    office.run(connection, MENDABLE)
    assert mailed() == {vera.email: 1}, "the tenant's contact"


def test_disconnecting_ends_it_without_a_mail(office: Any, alice: Any) -> None:
    connection = office.connect(alice)
    office.run(connection, MENDABLE)
    before = Notice.objects.count()
    with office.scope("web"):
        disconnect(connection=connection, actor=alice.actor)
    office.work_off()
    assert [each.closed_by for each in office.incidents()] == [Evident.LEFT]
    assert Notice.objects.count() == before


def test_the_database_keeps_one_open_of_a_cause(office: Any, alice: Any) -> None:
    connection = office.connect(alice)
    office.run(connection, MENDABLE)
    twin = Incident.objects.get()
    twin.id = None
    with pytest.raises(IntegrityError, match="incidents_one_open"), transaction.atomic():
        twin.save(force_insert=True)


def test_a_stolen_web_login_opens_and_closes_none(office: Any, alice: Any) -> None:
    connection = office.connect(alice)
    office.run(connection, MENDABLE)
    mailed()
    incident = Incident.objects.get()
    for attempt in (
        lambda: Incident.objects.update(closed_at=timezone.now()),
        lambda: Incident.objects.all().delete(),
        lambda: Incident.objects.bulk_create([incident]),
        lambda: Notice.objects.update(ended_at=None),
        lambda: list(Notice.objects.all()),
    ):
        with office.scope("web"), pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
            attempt()
    member = Membership.objects.get(user=alice)
    with office.scope("web"):
        for kind, subject in ((lifecycle.CONNECTION_LEFT, connection.id), ("incidents.mail_person", member.id)):
            enqueue(kind=kind, subject=subject, tenant_id=office.tenant.id)
    office.work_off()
    assert (mailed(), len(office.incidents(closed_at=None))) == ({}, 1)


def test_an_invented_run_says_nothing_of_its_own_and_floods_nobody(office: Any, alice: Any) -> None:
    """Whoever has the web's login may invent a run: our own words go to a member, once, whatever stands in it."""
    connection = office.connect(alice)
    now = timezone.now()
    for _ in range(3):
        run = SyncRun(tenant=office.tenant, connection=connection, trigger=Trigger.HAND, queued_at=now, started_at=now)
        run.ended_at, run.state, run.fault = timezone.now(), RunState.FAILED, MENDABLE
        part = StreamProgress(tenant=office.tenant, run=run, stream="https://evil.example/", order=1, fault=MENDABLE)
        with office.scope("web"):
            run.save(force_insert=True)
            part.save(force_insert=True)
            enqueue(kind=RUN_ENDED, subject=run.id, tenant_id=office.tenant.id)
        office.work_off()
    [message] = mail.outbox
    assert "evil" not in message.message().as_string()
    assert mailed() == {alice.email: 1}
