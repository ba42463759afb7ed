"""The gate in front of every simulated API: latency, ordered faults, and the log of what was asked."""

from __future__ import annotations

import re
import time
from collections.abc import Collection
from typing import Any

from flask import Flask, Response, g, request

from connections.sandbox.kit import Kit

_PARAMETER = re.compile(r"<(?:[^:<>]+:)?([^<>]+)>")
# Short and plain: long enough for dates, numbers, enums; too short for any key or token.
_PLAIN = re.compile(r"[A-Za-z0-9:,_\-]{1,25}")


def template() -> str:
    """The path of this request with parameters unfilled, as `/invoices/{ids}`; all unknown ones are the same."""
    return "(unknown path)" if request.url_rule is None else _PARAMETER.sub(r"{\1}", request.url_rule.rule)


def watch(app: Flask, kit: Kit, *, token_paths: Collection[str], plain_parameters: Collection[str]) -> None:
    """Put the gate in front of an API; call it before other hooks are registered, so that it is met first.

    The simulator may set `g.company`, `g.user` and `g.note` for the log. Query values are logged only for
    `plain_parameters`, of any other only the name.
    """

    def query() -> str:
        parts = []
        for name, value in request.args.items(multi=True):
            text = value if name in plain_parameters and _PLAIN.fullmatch(value) else "…"
            parts.append(f"{name if _PLAIN.fullmatch(name) else '…'}={text}")
        return "&".join(parts)

    @app.before_request
    def meet() -> Response | None:
        g.started = time.perf_counter()
        g.fault = fault = kit.faults.take(request.method, template())
        if kit.latency_seconds:
            time.sleep(kit.latency_seconds)
        if fault is None:
            return None
        if fault.delay_ms:
            time.sleep(fault.delay_ms / 1000)
        if fault.cut == "before":
            return Response(status=503)
        if fault.status is None:
            return None
        g.note = "ordered fault"
        text = (
            fault.body
            if fault.body is not None
            else f'{{"errors":[{{"status":{fault.status},"message":"Ordered fault"}}]}}'
        )
        return Response(text, status=fault.status, headers=fault.headers, content_type=fault.content_type)

    @app.after_request
    def write_down(response: Response) -> Response:
        fault = g.get("fault")
        path, note, status = template(), g.get("note", ""), response.status_code
        if fault is not None and fault.cut is not None:
            request.environ["sandbox.cut"](fault.cut)
            note, status = f"connection cut: {fault.cut}", 0
        values: dict[str, Any] = {"company": g.get("company", ""), "user": g.get("user", "")}
        seconds = time.perf_counter() - g.started
        token = path in token_paths
        kit.call_log.note(
            method=request.method,
            path=path,
            query=query(),
            status=status,
            seconds=seconds,
            token=token,
            note=note,
            **values,
        )
        return response
