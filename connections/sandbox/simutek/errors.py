"""How a call is refused: problem details with a trace id, plain text or nothing at all."""

from __future__ import annotations

import json
import secrets
from typing import Any

from flask import Response, g

Errors = dict[str, list[str]]

TITLES = {400: "Bad Request", 404: "Not Found", 409: "Conflict", 415: "Unsupported Media Type"}


class Problem(Exception):
    """What is wrong with a call: the status, and the messages by field."""

    def __init__(self, status: int, errors: Errors | None = None, detail: str = "") -> None:
        super().__init__(detail or TITLES[status])
        self.status = status
        self.errors = errors or {}
        self.detail = detail


def refusal(problem: Problem, shape: str) -> Response:
    """The answer in the shape of the switch `error_body`; its trace id stands in the log of what was asked, too."""
    trace = f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-00"
    message = problem.detail or " ".join(each for messages in problem.errors.values() for each in messages)
    g.note = f"{message or TITLES[problem.status]} · {trace}" if shape == "problem" else message
    if shape == "empty":
        return bare(problem.status)
    if shape == "text":
        text = message or TITLES[problem.status]
        return Response(text, status=problem.status, content_type="text/plain; charset=utf-8")
    body: dict[str, Any] = {
        "type": f"https://httpstatuses.example/{problem.status}",
        "title": "One or more validation errors occurred." if problem.errors else TITLES[problem.status],
        "status": problem.status,
    }
    if problem.detail:
        body["detail"] = problem.detail
    if problem.errors:
        body["errors"] = problem.errors
    text = json.dumps(body | {"traceId": trace}, ensure_ascii=False)
    return Response(text, status=problem.status, content_type="application/problem+json; charset=utf-8")


def bare(status: int, **headers: str) -> Response:
    """An answer without a body and without a type of one."""
    response = Response(status=status, headers={name.replace("_", "-"): value for name, value in headers.items()})
    del response.headers["Content-Type"]
    return response
