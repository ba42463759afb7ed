"""Refusals, and the shapes in which the API tells them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from flask import Response, g

from connections.sandbox.kit import Kit

JSON = "application/json; charset=utf-8"

# What the API says to a reader of Persian, by its error word.
MESSAGES = {
    "invalid_request": "اطلاعات ارسال شده درست نیست.",
    "invalid_json": "محتوای درخواست باید یک شیء JSON باشد.",
    "unsupported_media_type": "مقدار Content-Type باید application/json باشد.",
    "invalid_token": "توکن دسترسی معتبر نیست یا منقضی شده است.",
    "not_found": "موردی پیدا نشد.",
    "method_not_allowed": "این متد پشتیبانی نمی‌شود.",
    "quota_exceeded": "تعداد درخواست‌های امروز این شناسه به پایان رسیده است.",
}


class ApiError(Exception):
    """A refused call: `error` is one of MESSAGES, `fields` what is wrong with which field, in Persian."""

    def __init__(
        self,
        status: int,
        error: str,
        fields: Mapping[str, list[str]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(error)
        self.status, self.error = status, error
        self.fields, self.headers = dict(fields or {}), dict(headers or {})


class TokenError(Exception):
    """A refused token or authorization request, in OAuth's words; `description` never holds what was sent."""

    def __init__(self, status: int, error: str, description: str) -> None:
        super().__init__(description)
        self.status, self.error, self.description = status, error, description


def invalid(kit: Kit, fields: Mapping[str, list[str]]) -> ApiError:
    return ApiError(int(kit.switches["invalid_status"]), "invalid_request", fields)


def refusal(kit: Kit, trouble: ApiError) -> Response:
    """The answer, as the switches `error_body` and `errors_in_200` say."""
    g.note = " ".join([trouble.error, *trouble.fields])
    shape, status = kit.switches["error_body"], trouble.status
    body: dict[str, Any] = {"error": trouble.error, "message": MESSAGES[trouble.error], "errors": trouble.fields}
    if kit.switches.on("errors_in_200"):
        status = 200
    elif shape == "empty":
        return Response(b"", status=status, headers=trouble.headers, content_type=JSON)
    elif shape == "message":
        body = {"message": body["message"]}
    return Response(encode(body), status=status, headers=trouble.headers, content_type=JSON)


def token_refusal(kit: Kit, trouble: TokenError) -> Response:
    """The answer, as the switch `token_error_body` says."""
    g.note = trouble.description
    shape = kit.switches["token_error_body"]
    body = {"error": trouble.error, "error_description": trouble.description}
    if shape == "message":
        body = {"message": trouble.description}
    return Response(encode(body), status=200 if shape == "in_200" else trouble.status, content_type=JSON)


def encode(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
