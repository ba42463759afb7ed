"""The demo's mails: shown in the demo, not there in production, and nothing but mails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.mail import EmailMessage, get_connection


@pytest.fixture
def outbox(settings: Any, tmp_path: Path) -> Path:
    settings.DEMO_MAIL_DIR = tmp_path / "mail"
    backend = get_connection("django.core.mail.backends.filebased.EmailBackend", file_path=str(settings.DEMO_MAIL_DIR))
    for number in (1, 2):
        EmailMessage(
            subject=f"Mail {number} – ä",
            body=f"Open http://localhost:8000/invitations/token{number}/ <script>alert({number})</script>",
            to=["nelli@aamu.example"],
            connection=backend,
        ).send()
    return Path(settings.DEMO_MAIL_DIR)


def test_a_demos_mails_are_shown_to_whoever_tries_it(client: Any, outbox: Path, db: None) -> None:
    page = client.get("/demo/mail/").content.decode()
    assert "Mail 1 – ä" in page
    assert "nelli@aamu.example" in page
    address = next(part for part in page.split('"') if part.startswith("/demo/mail/2"))
    mail = client.get(address).content.decode()
    assert '<a href="http://localhost:8000/invitations/token' in mail
    assert "<script>alert" not in mail


def test_production_has_no_such_page(client: Any, outbox: Path, db: None, settings: Any) -> None:
    settings.DEMO = False
    for address in ("/demo/mail/", "/demo/mail/2-0/"):
        answer = client.get(address)
        assert answer.status_code == 404
        assert answer.content == client.get("/no/such/page").content


@pytest.mark.parametrize("key", ["nothing", "..", "%2e%2e%2fkeys", "x-0"])
def test_only_mails_are_read(key: str, client: Any, outbox: Path, db: None) -> None:
    (outbox.parent / "x.log").write_text("Subject: secret\n\nsecret")
    answer = client.get(f"/demo/mail/{key}/")
    assert answer.status_code == 404
    assert b"secret" not in answer.content


def test_an_empty_outbox_says_what_to_do(client: Any, settings: Any, tmp_path: Path, db: None) -> None:
    settings.DEMO_MAIL_DIR = tmp_path / "nowhere"
    assert b"No mail yet" in client.get("/demo/mail/").content
