"""The mails a demo has sent, read back from the files its worker writes instead of speaking SMTP."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from email import message_from_bytes, policy
from email.utils import parsedate_to_datetime
from pathlib import Path

RULE = b"-" * 79
MOST = 200


@dataclass(frozen=True)
class SentMail:
    """One mail as its reader would see it. `key` names it in an address."""

    key: str
    to: str
    subject: str
    at: datetime
    body: str


def sent_mails(folder: Path) -> list[SentMail]:
    """Newest first, the latest 200."""
    found: list[SentMail] = []
    files = sorted(folder.glob("*.log"), reverse=True) if folder.is_dir() else []
    for file in files[:MOST]:
        parts = [part.strip() for part in file.read_bytes().split(RULE)]
        found += [_mail(file, number, raw) for number, raw in enumerate(parts) if raw]
    return sorted(found, key=lambda mail: mail.at, reverse=True)[:MOST]


def _mail(file: Path, number: int, raw: bytes) -> SentMail:
    message = message_from_bytes(raw, policy=policy.default)
    body = message.get_body(preferencelist=("plain", "html"))
    written = datetime.fromtimestamp(file.stat().st_mtime, tz=timezone.utc)
    try:
        at = parsedate_to_datetime(str(message["date"])) if message["date"] else written
    except ValueError:
        at = written
    return SentMail(
        key=f"{file.stem}-{number}",
        to=str(message["to"] or ""),
        subject=str(message["subject"] or ""),
        at=at,
        body=str(body.get_content()) if body is not None else "",
    )
