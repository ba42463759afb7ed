"""Mail is sealed when it is asked for and leaves by a worker: to a real SMTP server, or to the demo's folder."""

from __future__ import annotations

import socketserver
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.mail import EmailMultiAlternatives
from django.db import ProgrammingError, transaction
from django.db import connection as database

from connections.jobs import registry, services
from connections.jobs.models import Job, JobState
from connections.jobs.tasks import work
from connections.tenancy.scope import staff_scope
from connections.transport.oauth.revocation import DEPARTURE_ENDED
from portal import env
from portal.devserver.children import Child, Plan
from portal.members.adapters import PortalSite
from portal.members.mailing import Delivery
from portal.members.models import Invitation
from portal.notices import error_groups, mail, smtp
from portal.notices.deliveries import deliveries_of
from portal.notices.models import MailState, OutgoingMail
from portal.onboarding import handoffs
from portal.onboarding.marks import HANDOFF_DONE
from tests.due_jobs import due
from tests.roles import acting_as

pytestmark = pytest.mark.usefixtures("committed_db", "system_key")
LINK = "https://portal.example/invitations/canary-9b1d-secret/"


class Postbox(socketserver.ThreadingTCPServer):
    """A small SMTP server (RFC 5321, without extensions) that keeps what it is given, and refuses the first `refusals`.

    `refuses` says how it answers each recipient or mail that it refuses for good; `hangs` at which of its answers it
    stands still, and `drips` that it sends a byte now and then while it does.
    """

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Conversation)
        self.mails: list[tuple[list[str], str]] = []
        self.refusals = 0
        self.refuses: dict[str, str] = {}
        self.hangs = ""
        self.drips = False
        self.conversations = 0
        self.over = threading.Event()


class Conversation(socketserver.StreamRequestHandler):
    server: Postbox

    def say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())

    def stand_still(self) -> None:
        while not self.server.over.wait(0.05):
            if self.server.drips:
                self.wfile.write(b"2")

    def handle(self) -> None:
        self.server.conversations += 1
        if self.server.hangs == "greeting":
            return self.stand_still()
        self.say("220 postbox")
        recipients: list[str] = []
        while line := self.rfile.readline().decode().strip():
            word = line.split(":")[0].upper()
            if word == self.server.hangs:
                return self.stand_still()
            if word in self.server.refuses and word != "DATA":
                self.say(self.server.refuses[word])
                continue
            if word == "RCPT TO":
                recipients.append(line.split("<")[1].split(">")[0])
                if self.server.refusals:
                    self.server.refusals -= 1
                    self.say("451 try again later")
                    continue
            if word == "DATA":
                self.say("354 go on")
                lines = []
                while (part := self.rfile.readline().decode().rstrip("\r\n")) != ".":
                    lines.append(part)
                if word in self.server.refuses:
                    self.say(self.server.refuses[word])
                    continue
                self.server.mails.append((recipients, "\n".join(lines)))
                recipients = []
            self.say("221 bye" if word == "QUIT" else "250 ok")
            if word == "QUIT":
                return None
        return None


@pytest.fixture
def postbox(settings) -> Iterator[Postbox]:
    server = Postbox()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    settings.SMTP = {"host": "127.0.0.1", "port": server.server_address[1], "use_tls": False, "timeout": 5}
    yield server
    server.over.set()
    server.shutdown()
    server.server_close()


def send(subject="You are invited", *, about=None, is_urgent=False):
    message = EmailMultiAlternatives(
        subject, f"Follow {LINK}", "Pilotage <from@portal.example>", ["aino@aamu.example"]
    )
    message.about, message.is_urgent = about, is_urgent
    message.attach_alternative(f"<p>Follow {LINK}</p>", "text/html")
    with acting_as("web"), transaction.atomic():
        # pytest-django puts Django's in-memory backend in place; the portal's own is what is tried here.
        message.connection = _ours()
        message.send()


def _ours():
    from portal.notices.mail import QueuedBackend

    return QueuedBackend()


def test_a_mail_leaves_by_a_worker(postbox, work_off):
    send()
    assert postbox.mails == []
    assert work_off() == 1
    [(recipients, text)] = postbox.mails
    assert recipients == ["aino@aamu.example"]
    assert "Subject: You are invited" in text
    assert LINK in text
    row = OutgoingMail.objects.get()
    assert (row.state, bytes(row.ciphertext)) == (MailState.SENT, b"")
    assert work_off() == 0


def test_a_waiting_mail_can_be_read_by_nobody(postbox):
    send()
    with database.cursor() as cursor:
        cursor.execute("SELECT m::text FROM notices_outgoingmail m")
        row = cursor.fetchone()[0]
        assert "canary" not in row
        assert "aino@aamu.example" not in row
        cursor.execute("SELECT count(*) FROM jobs_job j WHERE j::text LIKE '%canary%'")
        assert cursor.fetchone() == (0,)
    for enter in (acting_as("web"), acting_as("staff")):
        with enter, pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
            list(OutgoingMail.objects.values_list("ciphertext"))
    with acting_as("web"), staff_scope():
        assert OutgoingMail.objects.values_list("state", flat=True).get() == MailState.QUEUED


def test_a_refused_mail_is_tried_again_later(postbox, work_off):
    postbox.refusals = 1
    send()
    work_off()
    assert postbox.mails == []
    assert Job.objects.get().state == JobState.QUEUED
    Job.objects.update(due_at="2020-01-01T00:00Z")
    work_off()
    assert len(postbox.mails) == 1


def test_a_mail_that_was_rolled_back_was_never_asked_for(postbox, work_off):
    with pytest.raises(RuntimeError), transaction.atomic():
        send()
        raise RuntimeError
    assert work_off() == 0
    assert postbox.mails == []


def test_without_a_mail_server_it_waits_for_a_person(settings, work_off):
    settings.SMTP, settings.DEMO = {}, False
    send()
    work_off()
    job = Job.objects.get()
    assert (job.state, OutgoingMail.objects.get().state) == (JobState.PARKED, MailState.FAILED)
    assert "PORTAL_SMTP_URL" in job.reason


def test_the_demo_keeps_mails_in_a_folder(settings, work_off, tmp_path):
    settings.SMTP, settings.DEMO, settings.DEMO_MAIL_DIR = {}, True, tmp_path / "mail"
    send()
    work_off()
    [path] = (tmp_path / "mail").iterdir()
    assert LINK in path.read_text()


# -- a mail server in trouble ------------------------------------------------------------------------------------------


def through_a_day(work_off) -> int:
    """As if each wait had passed; how often it was tried."""
    tries = 0
    while True:
        work_off()
        tries += 1
        if not Job.objects.filter(kind=mail.SEND, state=JobState.QUEUED).update(due_at="2020-01-01T00:00Z"):
            return tries


def test_an_outage_of_hours_loses_no_mail_and_after_a_day_it_is_said(postbox, work_off):
    assert 20 * 3600 < sum(mail.RETRY_WAITS_SECONDS) < 28 * 3600
    assert list(mail.RETRY_WAITS_SECONDS) == sorted(mail.RETRY_WAITS_SECONDS)
    about = uuid.uuid4()
    postbox.refusals = 10_000
    send(about=about)
    assert deliveries_of([about]) == {about: Delivery.ON_ITS_WAY}
    work_off()
    assert deliveries_of([about]) == {about: Delivery.DELAYED}
    through_a_day(work_off)
    assert OutgoingMail.objects.get().tries == len(mail.RETRY_WAITS_SECONDS) + 1
    row = OutgoingMail.objects.get()
    assert (row.state, row.trouble) == (MailState.FAILED, "SMTPRecipientsRefused 451")
    assert Job.objects.get().state == JobState.PARKED
    assert deliveries_of([about]) == {about: Delivery.FAILED}
    # Staff queue it again once the server is mended, and the page says so.
    postbox.refusals = 0
    with acting_as("web"), staff_scope():
        services.queue_again(Job.objects.get())
    work_off()
    assert len(postbox.mails) == 1
    assert deliveries_of([about]) == {about: Delivery.SENT}


@pytest.mark.parametrize(
    "refuses", [{"RCPT TO": "550 no such user aino@aamu.example"}, {"DATA": "554 5.7.1 not wanted: canary"}]
)
def test_what_is_refused_for_good_is_not_asked_again(refuses, postbox, work_off):
    postbox.refuses = refuses
    about = uuid.uuid4()
    send(about=about)
    assert through_a_day(work_off) == 1
    assert postbox.conversations == 1
    row, job = OutgoingMail.objects.get(), Job.objects.get()
    assert (row.state, job.state) == (MailState.REFUSED, JobState.PARKED)
    assert deliveries_of([about]) == {about: Delivery.REFUSED}
    for text in (row.trouble, job.reason):
        assert next(iter(refuses.values()))[:3] in text
        assert "aino" not in text
        assert "canary" not in text


@pytest.mark.parametrize("refuses", [{"MAIL FROM": "550 who are you"}, {"RCPT TO": "450 greylisted"}])
def test_what_somebody_may_put_right_is_asked_again(refuses, postbox, work_off):
    postbox.refuses = refuses
    send()
    work_off()
    assert (OutgoingMail.objects.get().state, Job.objects.get().state) == (MailState.QUEUED, JobState.QUEUED)
    postbox.refuses = {}
    Job.objects.update(due_at="2020-01-01T00:00Z")
    work_off()
    assert OutgoingMail.objects.get().state == MailState.SENT


@pytest.mark.parametrize("drips", [False, True])
@pytest.mark.parametrize("hangs", ["greeting", "MAIL FROM", "DATA"])
def test_a_server_that_accepts_and_hangs_costs_a_moment(hangs, drips, postbox, work_off, monkeypatch, settings):
    """Its socket's own timeout would never end it: that begins anew with every byte."""
    monkeypatch.setattr(smtp, "WHOLE_SECONDS", 0.3)
    settings.SMTP = {**settings.SMTP, "timeout": 3600}
    postbox.hangs, postbox.drips = hangs, drips
    send()
    work_off()  # comes back at all
    row = OutgoingMail.objects.get()
    assert (row.state, row.tries) == (MailState.QUEUED, 1)
    assert Job.objects.get().state == JobState.QUEUED


def test_a_goodbye_that_hangs_takes_nothing_back(postbox, work_off, monkeypatch):
    monkeypatch.setattr(smtp, "WHOLE_SECONDS", 0.5)
    postbox.hangs = "QUIT"
    send()
    work_off()
    assert OutgoingMail.objects.get().state == MailState.SENT
    assert len(postbox.mails) == 1


@pytest.mark.parametrize("mode", env.MODES)
def test_a_hanging_mail_server_keeps_nobodys_check_waiting(postbox, alice, aamu, tmp_path, mode):
    """No worker that does checks ever takes a mail."""
    for number in range(3):
        send(is_urgent=number == 0)
    queues = {job.queue for job in Job.objects.filter(kind__in=(mail.SEND, mail.SEND_URGENT))}
    assert queues == {"urgent-mail", "mail"}
    served = {}
    for child in workers(tmp_path, mode):
        queues_of_child = child.arguments[child.arguments.index("--queues") + 1].split(",")
        assert not set(queues_of_child) & set(served)
        served |= dict.fromkeys(queues_of_child, child.name)
    assert set(served) == set(registry.QUEUES)  # whatever is queued, somebody does
    by_queue = {name: {kind.name for kind in registry._KINDS.values() if kind.queue == name} for name in served}
    assert by_queue["urgent-mail"] == {mail.SEND_URGENT}
    # Beside it what decides about mails, which nobody waits for at a page.
    steps = {handoffs.REMIND, HANDOFF_DONE, DEPARTURE_ENDED}
    about_mails = {each for each in by_queue["mail"] if each.startswith("incidents.")} | steps
    assert by_queue["mail"] - about_mails == {mail.SEND, error_groups.SUMMARY}
    assert len({served["mail"], served["interactive"], served["sync"]}) == 3


@pytest.mark.parametrize("mode", env.MODES)
def test_only_the_worker_for_mail_is_told_how_to_reach_the_mail_server(tmp_path, mode):
    has_address = {child.name: "PORTAL_SMTP_URL" in child.environment for child in workers(tmp_path, mode)}
    assert {name for name, is_there in has_address.items() if is_there} == {"worker-mail"}
    assert len(has_address) >= 3


def test_urgent_mail_passes_a_long_line_by(postbox, work_off):
    for _ in range(5):
        send()
    send("Your password was changed", is_urgent=True)
    assert [queue for _, queue in due(2)] == ["urgent-mail", "mail", "mail"]
    with acting_as("worker"):
        work(str(due(1)[0][0]))
    assert "password was changed" in postbox.mails[0][1]


def test_only_mails_about_what_was_changed_are_urgent(alice, rf):
    from allauth.account.adapter import get_adapter
    from allauth.core.context import request_context

    request = rf.get("/")
    words = {"user": alice, "request": request, "email": alice.email, "current_site": PortalSite("Pilotage", "x")}
    words |= dict.fromkeys(("password_reset_url", "uid", "key", "username", "timestamp", "ip", "user_agent"), "")
    with request_context(request):
        render = get_adapter(request).render_mail
        assert render("account/email/password_changed", alice.email, words).is_urgent
        assert not render("account/email/password_reset_key", alice.email, words).is_urgent


def workers(state: Path, mode: str) -> list[Child]:
    (state / "keys").mkdir()
    nothing = {"mode": mode, "port": 1, "owner_url": "", "web_url": "", "worker_url": "", "broker_url": ""}
    plan = Plan(**nothing, state=state, secret_key={}, web_keyset={}, kek={}, smtp={"PORTAL_SMTP_URL": "smtp://x"})
    return [child for child in plan.processes() if child.name.startswith("worker-")]


# -- told where somebody waits for it ----------------------------------------------------------------------------------


def test_the_team_and_staff_are_told_that_an_invitation_was_not_delivered(
    postbox, work_off, alice, ada, sign_in, settings
):
    settings.EMAIL_BACKEND = "portal.notices.mail.QueuedBackend"
    owner = sign_in(alice)
    owner.post("/t/aamu/team/invite/", {"email": "aino@aamu.example", "role": "viewer"})
    assert "could not be delivered" not in owner.get("/t/aamu/team/").content.decode()
    postbox.refuses = {"RCPT TO": "550 no such user"}
    work_off()
    page = owner.get("/t/aamu/team/").content.decode()
    assert "could not be delivered" in page
    assert "does not take mail for this address" in page
    staff = sign_in(ada)
    tenant = Invitation.objects.get().tenant_id
    assert "could not be delivered" in staff.get(f"/admin/tenancy/tenant/{tenant}/change/").content.decode()
    listed = staff.get("/admin/notices/outgoingmail/?state=refused").content.decode()
    assert "SMTPRecipientsRefused 550" in listed
    assert "aino@aamu.example" not in listed


def test_after_a_day_of_trouble_the_team_is_told(postbox, work_off, alice, sign_in, settings):
    settings.EMAIL_BACKEND = "portal.notices.mail.QueuedBackend"
    owner = sign_in(alice)
    owner.post("/t/aamu/team/invite/", {"email": "aino@aamu.example", "role": "viewer"})
    postbox.refusals = 10_000
    work_off()
    assert "could not be delivered yet" in owner.get("/t/aamu/team/").content.decode()
    through_a_day(work_off)
    assert "Send it again" in owner.get("/t/aamu/team/").content.decode()
