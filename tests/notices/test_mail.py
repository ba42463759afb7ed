"""Mail is sealed when it is asked for and leaves by a worker: to a real SMTP server, or to the demo's folder."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator

import pytest
from django.core.mail import EmailMultiAlternatives
from django.db import ProgrammingError, transaction
from django.db import connection as database

from connections.jobs.models import Job, JobState
from connections.tenancy.scope import staff_scope
from portal.notices.models import MailState, OutgoingMail
from tests.roles import acting_as

pytestmark = pytest.mark.usefixtures("committed_db", "house_key")
LINK = "https://portal.example/invitations/canary-9b1d-secret/"


class Postbox(socketserver.ThreadingTCPServer):
    """A small SMTP server (RFC 5321, without extensions) that keeps what it is given, and refuses the first `refusals`."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Conversation)
        self.taken: list[tuple[list[str], str]] = []
        self.refusals = 0


class Conversation(socketserver.StreamRequestHandler):
    server: Postbox

    def say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())

    def handle(self) -> None:
        self.say("220 postbox")
        recipients: list[str] = []
        while line := self.rfile.readline().decode().strip():
            word = line.split(":")[0].upper()
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
                self.server.taken.append((recipients, "\n".join(lines)))
                recipients = []
            self.say("221 bye" if word == "QUIT" else "250 ok")
            if word == "QUIT":
                return


@pytest.fixture
def postbox(settings) -> Iterator[Postbox]:
    server = Postbox()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    settings.SMTP = {"host": "127.0.0.1", "port": server.server_address[1], "use_tls": False, "timeout": 5}
    yield server
    server.shutdown()
    server.server_close()


def send(subject="You are invited"):
    message = EmailMultiAlternatives(
        subject, f"Follow {LINK}", "Pilotage <from@portal.example>", ["aino@aamu.example"]
    )
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
    assert postbox.taken == []
    assert work_off() == 1
    [(recipients, text)] = postbox.taken
    assert recipients == ["aino@aamu.example"]
    assert "Subject: You are invited" in text
    assert LINK in text
    mail = OutgoingMail.objects.get()
    assert (mail.state, bytes(mail.ciphertext)) == (MailState.SENT, b"")
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
    assert postbox.taken == []
    assert Job.objects.get().state == JobState.QUEUED
    Job.objects.update(due_at="2020-01-01T00:00Z")
    work_off()
    assert len(postbox.taken) == 1


def test_a_mail_that_was_rolled_back_was_never_asked_for(postbox, work_off):
    with pytest.raises(RuntimeError), transaction.atomic():
        send()
        raise RuntimeError
    assert work_off() == 0
    assert postbox.taken == []


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
