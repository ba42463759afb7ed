"""Answers in the format the caller asked for, as far as it is offered: records, business errors, and the server's own."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from flask import Response, g, request
from werkzeug.datastructures import MIMEAccept

from connections.sandbox.kit import Kit
from connections.sandbox.pentamic import serializers

JSON_TYPES = ("application/json", "text/json")
XML_TYPES = ("application/xml", "text/xml")
PAGES = {"maintenance": (503, "Service Unavailable"), "broken": (500, "Internal Server Error")}


class Responses:
    """Writes answers as the switches stand."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit

    @property
    def format(self) -> str:
        """The media type of the answer; whoever wants neither gets JSON."""
        if not self._kit.switches.on("xml"):
            return JSON_TYPES[0]
        if "Accept" not in request.headers:
            return XML_TYPES[0] if self._kit.switches["without_accept"] == "xml" else JSON_TYPES[0]
        accepted: MIMEAccept = request.accept_mimetypes
        return accepted.best_match([*JSON_TYPES, *XML_TYPES], default=JSON_TYPES[0]) or JSON_TYPES[0]

    @property
    def xml(self) -> bool:
        return self.format in XML_TYPES

    def customer(self, row: sqlite3.Row) -> Response:
        shape = serializers.Shape.of(self._kit.switches)
        if self.xml:
            return self._response(serializers.xml_record("Customer", shape.record("Customer", row, xml=True)))
        return self._response(serializers.json_record(shape.record("Customer", row)))

    def listing(self, kind: serializers.Kind, rows: Sequence[sqlite3.Row]) -> bytes:
        """A whole list, encoded."""
        shape, xml = serializers.Shape.of(self._kit.switches), self.xml
        described = (shape.record(kind, row, xml=xml) for row in rows)
        if xml:
            return serializers.xml_list(kind, described).encode()
        text = serializers.json_list(described)
        if kind == "Invoice" and self._kit.switches["invoices_envelope"] == "object":
            text = f'{{"{shape.member_name("invoices")}":{text}}}'
        return text.encode()

    def business(self, code: str) -> Response:
        """A business error: always 403."""
        g.note = code
        return self._response(serializers.xml_error("error", code) if self.xml else f'{{"error":"{code}"}}', 403)

    def trouble(self, status: int, message: str) -> Response:
        """What the framework answers before any business is done."""
        g.note = message
        body = self._kit.switches["error_body"]
        if body == "empty":
            return silent(status)
        if body == "html":
            return page(status, message)
        written = serializers.xml_error("Message", message) if self.xml else f'{{"Message":"{message}"}}'
        return self._response(written, status)

    def encoded(self, body: bytes) -> Response:
        return Response(body, content_type=f"{self.format}; charset=utf-8")

    def _response(self, text: str, status: int = 200) -> Response:
        answer = self.encoded(text.encode())
        answer.status_code = status
        return answer


def page(status: int, title: str) -> Response:
    """A page of the web server, whatever the caller accepts."""
    text = (
        f"<!DOCTYPE html>\r\n<html>\r\n<head><title>{status} - {title}</title></head>\r\n"
        f"<body>\r\n<h1>Server Error</h1>\r\n<h2>{status} - {title}</h2>\r\n</body>\r\n</html>\r\n"
    )
    return Response(text, status=status, content_type="text/html")


def silent(status: int = 200) -> Response:
    """No body, and so no type of one."""
    answer = Response(status=status)
    del answer.headers["Content-Type"]
    return answer
