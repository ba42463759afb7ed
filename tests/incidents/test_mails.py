"""The mails themselves: the same words as text and as HTML, ways to stop them, hours and mornings, nothing twice."""

from __future__ import annotations

import re
import threading
from datetime import datetime, time, timedelta, timezone
from html import unescape
from typing import Any

import pytest
from django.core import mail
from django.urls import reverse
from django.utils import timezone as django_timezone

from connections.jobs.models import Job, JobState
from connections.jobs.services import enqueue
from connections.vault.models import Connection
from portal.incidents.due_times import due_at
from portal.incidents.lasting import REMIND
from portal.incidents.models import MailChoice, Notice, NoticeOutcome
from portal.incidents.notices import MOST_A_DAY
from portal.incidents.unsubscribing import link_for
from portal.members.models import Membership
from tests.incidents.conftest import MENDABLE, let_pass, mailed
from tests.notices.test_mail import Postbox
from tests.roles import acting_as

pytestmark = pytest.mark.usefixtures("committed_db", "no_checks")


def stop_link(message: Any) -> str:
    """The path of the address in its List-Unsubscribe header."""
    found = re.fullmatch(r"<http://[^/]+(/mail/stop/[^>]+)>", message.extra_headers["List-Unsubscribe"])
    assert found
    return found[1]


def choose(office: Any, user: Any, **values: Any) -> None:
    with office.scope("web"):
        MailChoice.objects.update_or_create(tenant=office.tenant, user=user, defaults=values)


def test_text_and_html_say_the_same(office: Any, alice: Any) -> None:
    connection = office.connect(alice)
    Connection.objects.filter(id=connection.id).update(company_name='<b>Aamu</b> & "Co" https://evil.example/')
    office.run(connection, MENDABLE)
    [message] = mail.outbox
    [(html, kind)] = message.alternatives
    body = re.search(r"<body>(.*)</body>", html, re.DOTALL)
    assert body
    words = unescape(re.sub(r"<[^>]+>", " ", body[1])).split()
    assert (kind, words) == ("text/html", message.body.split())
    links = re.findall(r'href="([^"]+)"', html)
    assert len(links) == 3
    assert all(link.startswith("http://localhost") or "testserver" in link for link in links), links
    assert "evil" not in "".join(links)
    assert message.extra_headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert links[0].endswith(f"/{connection.id}/api-key/") or "api-key" in links[0]


def test_one_press_ends_exactly_that_kind(client: Any, office: Any, alice: Any, bob: Any) -> None:
    connection = office.connect(alice)
    office.run(connection, MENDABLE)
    [message] = mail.outbox
    address = stop_link(message)
    mailed()
    assert client.get(address).status_code == 200
    assert not MailChoice.objects.exists(), "looking changes nothing"
    answer = client.post(address, {"List-Unsubscribe": "One-Click"})
    assert answer.status_code == 200
    assert MailChoice.objects.get().refused == ["broken"]
    office.run(connection)
    assert mailed() == {alice.email: 1}, "that it is over is another kind"
    office.run(connection, MENDABLE)
    assert mailed() == {}
    assert not office.incidents(closed_at=None)[0].closed_at, "the page still shows it"


def test_unsubscribing_needs_the_signature(client: Any, office: Any, alice: Any) -> None:
    token = link_for(user_id=alice.pk, tenant_id=office.tenant.id, kinds=["broken"]).rstrip("/").rpartition("/")[2]
    for forged in (token[:-2], f"x{token}", token.replace(":", "", 1)):
        assert client.post(reverse("unsubscribe", args=[forged])).status_code == 404
    assert not MailChoice.objects.exists()


def test_what_waits_is_not_mailed_to_who_has_unsubscribed_or_left(office: Any, alice: Any, bob: Any) -> None:
    connection = office.connect(bob)
    choose(office, bob, is_digest=True)
    office.run(connection, MENDABLE)
    assert mailed() == {}
    choose(office, bob, refused=["broken"])
    Notice.objects.update(due_at=django_timezone.now())
    let_pass(timedelta(days=1))
    office.work_off()
    assert mailed() == {}
    assert Notice.objects.get(kind="broken").outcome == NoticeOutcome.REFUSED
    Membership.objects.filter(user=bob).delete()
    office.run(connection)
    assert mailed() == {}


def test_a_daily_mail_holds_what_happened(office: Any, alice: Any) -> None:
    connections = [office.connect(alice, number) for number in (1, 2)]
    choose(office, alice, is_digest=True)
    for connection in connections:
        office.run(connection, MENDABLE)
    assert mailed() == {}
    Notice.objects.update(due_at=django_timezone.now())
    let_pass(timedelta(days=1))
    office.work_off()
    [message] = mail.outbox
    assert "Books 1" in message.body
    assert "Books 2" in message.body
    assert mailed() == {alice.email: 1}


def test_hours_and_mornings_are_those_of_the_person() -> None:
    def at(clock: str, **chosen: Any) -> str:
        now = datetime.fromisoformat(f"2026-12-01T{clock}:00").replace(tzinfo=timezone.utc)
        return f"{due_at(now, MailChoice(**chosen), 'Europe/Helsinki').astimezone(timezone.utc):%d %H:%M}"

    night = {"quiet_from": time(22), "quiet_until": time(7)}
    assert at("12:00") == "01 12:00"
    assert at("12:00", **night) == "01 12:00"
    assert at("20:30", **night) == "02 05:00"
    assert at("03:00", **night) == "01 05:00"
    assert at("05:00", **night) == "01 05:00"
    assert at("12:00", is_digest=True) == "02 06:00"
    assert at("05:30", is_digest=True) == "01 06:00"
    assert at("12:00", is_digest=True, quiet_from=time(7), quiet_until=time(10)) == "02 08:00"


def test_a_flood_becomes_one_mail(office: Any, alice: Any) -> None:
    connection = office.connect(alice)
    for _ in range(MOST_A_DAY):
        office.run(connection, MENDABLE)
        office.run(connection)
    assert sum(mailed().values()) < MOST_A_DAY
    assert Notice.objects.filter(ended_at=None).exists(), "the rest waits for the morning"


def test_a_person_chooses_on_a_page(sign_in: Any, office: Any, bob: Any, alice: Any, ada: Any) -> None:
    client = sign_in(bob)
    address = reverse("mail_choice", args=["aamu"])
    answer = client.post(
        address, {"kinds": ["healed"], "rhythm": "daily", "quiet_from": "22:00", "quiet_until": "07:00"}
    )
    assert answer.status_code == 302
    choice = MailChoice.objects.get()
    assert (choice.user_id, choice.is_digest, choice.quiet_from) == (bob.pk, True, time(22))
    assert set(choice.refused) == {"broken", "live", "waits", "asked", "expires", "outage"}
    page = client.get(address).content.decode()
    assert 'value="healed" id="id_kinds_1" checked' in page or re.search(r'value="healed"[^>]*checked', page)
    half = client.post(address, {"quiet_from": "22:00"}).content.decode()
    assert "Choose both hours" in half


def test_a_mail_server_that_defers_is_tried_again_and_nothing_is_mailed_twice(
    office: Any, alice: Any, settings: Any
) -> None:
    connection = office.connect(alice)
    settings.EMAIL_BACKEND = "portal.notices.mail.QueuedBackend"
    server = Postbox()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    settings.SMTP = {"host": "127.0.0.1", "port": server.server_address[1], "use_tls": False, "timeout": 2}
    try:
        server.refusals = 1
        office.run(connection, MENDABLE)
        assert server.mails == []
        let_pass(timedelta(minutes=5))
        office.work_off()
        [([to], text)] = server.mails
        assert to == alice.email
        assert "List-Unsubscribe-Post: List-Unsubscribe=One-Click" in text
        server.refuses = {"DATA": "550 no such mailbox"}
        office.run(connection)
        assert len(server.mails) == 1
        assert Job.objects.filter(kind="notices.send_mail", state=JobState.PARKED).count() == 1
        server.refuses, server.hangs = {}, "DATA"
        office.run(connection, MENDABLE)
        assert len(server.mails) == 1
        server.hangs = ""
        let_pass(timedelta(minutes=5))
        office.work_off()
        assert len(server.mails) == 2
    finally:
        server.over.set()
        server.shutdown()
        server.server_close()


def test_a_set_up_that_stands_still_is_reminded_of_three_times(office: Any, bob: Any) -> None:
    connection = office.connect(bob)
    Connection.objects.filter(id=connection.id).update(state="setup")
    with acting_as("web"):
        enqueue(kind=REMIND, subject=connection.id, tenant_id=office.tenant.id)
    for _ in range(9):
        let_pass(timedelta(days=1), (Connection, ("created_at",)))
        office.work_off()
    assert mailed() == {bob.email: 3}
