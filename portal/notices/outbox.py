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
    mails: list[SentMail] = []
    files = sorted(folder.glob("*.log"), reverse=True) if folder.is_dir() else []
    for file in files[:MOST]:
        parts = [part.strip() for part in file.read_bytes().split(RULE)]
        mails += [_mail(file, number, raw) for number, raw in enumerate(parts) if raw]
    return sorted(mails, key=lambda mail: mail.at, reverse=True)[:MOST]


def _mail(file: Path, number: int, raw: bytes) -> SentMail:
    message = message_from_bytes(raw, policy=policy.default)
    body = message.get_body(preferencelist=("plain", "html"))
    return SentMail(
        key=f"{file.stem}-{number}",
        to=str(message["to"] or ""),
        subject=str(message["subject"] or ""),
        at=_sent_at(message["date"]) or datetime.fromtimestamp(file.stat().st_mtime, tz=timezone.utc),
        body=str(body.get_content()) if body is not None else "",
    )


def _sent_at(header: object) -> datetime | None:
    try:
        at = parsedate_to_datetime(str(header))
    except ValueError:
        return None
    # "-0000" says that the zone is not told; Django writes it and means UTC.
    return at if at.tzinfo else at.replace(tzinfo=timezone.utc)
