"""SMTP that ends: a mail server that accepts and hangs, or drips, costs a worker some seconds."""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from django.core.mail import EmailMessage
from django.core.mail.backends.smtp import EmailBackend

from connections.transport.http import deadline

CONNECT_SECONDS = 5.0
WHOLE_SECONDS = 20.0  # from the first packet to the last, whatever the server does in between


class _EndsInTime:
    """Makes smtplib's sockets end with the deadline of the thread."""

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        sock = deadline.connect((host, port), min(timeout, CONNECT_SECONDS))
        sock.settimeout(timeout)
        return sock


class PlainSMTP(_EndsInTime, smtplib.SMTP):
    pass


class TLSFromTheStart(_EndsInTime, smtplib.SMTP_SSL):
    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        sock = super()._get_socket(host, port, timeout)
        return self.context.wrap_socket(sock, server_hostname=self._host)  # type: ignore[attr-defined]


class Backend(EmailBackend):
    """Django's SMTP backend with an end to everything. Raises OSError, smtplib.SMTPException."""

    @property
    def connection_class(self) -> Any:
        return TLSFromTheStart if self.use_ssl else PlainSMTP

    @cached_property
    def ssl_context(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        context.sslsocket_class = deadline.TLSSocket
        return context

    def _close_connection(self, connection: smtplib.SMTP) -> None:
        """What was taken is taken, and what was refused is refused, whatever comes of a polite goodbye."""
        try:
            connection.quit()
        except (OSError, smtplib.SMTPException):
            connection.close()

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        with deadline.within(WHOLE_SECONDS):
            return super().send_messages(email_messages) or 0


def is_for_good(error: Exception) -> bool:
    """Whether the server said that this mail will never be taken: 5xx for every recipient, or for the mail itself.

    A refused sender or sign-in is our own setting, which somebody may put right.
    """
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        codes = [code for code, _text in error.recipients.values()]
    elif isinstance(error, smtplib.SMTPDataError):
        codes = [error.smtp_code]
    else:
        return False
    return bool(codes) and all(500 <= code < 600 for code in codes)


def code_of(error: Exception) -> int | None:
    """The server's reply code, where there was one; its text may quote the mail and is left out."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return max((code for code, _text in error.recipients.values()), default=None)
    return error.smtp_code if isinstance(error, smtplib.SMTPResponseException) else None
