"""Webhooks: registered, listed, replaced and removed over the API, and delivered when something confirmed was done."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import threading
import uuid
from collections import deque
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Response, g, request

from connections.sandbox.kit import Kit
from connections.sandbox.procountor import fields, lists, validation
from connections.sandbox.procountor.validation import BLANK, Body, WrongBody
from connections.sandbox.procountor.writes import NotThere, Writing

LOOPBACK = ("localhost", "127.0.0.1", "::1")
DELIVERY_TIMEOUT_SECONDS = 10


class Webhooks:
    """Tells subscribers on this machine, once each; how often Procountor tries is not known."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._told: deque[dict[str, Any]] = deque(maxlen=200)

    def reset(self) -> None:
        self._kit.store.write("DELETE FROM webhooks")
        self._told.clear()

    def deliveries(self) -> list[dict[str, Any]]:
        """What was sent since the start: webhook, event, and the status of the answer (0: none)."""
        return list(self._told)

    def deliver(self, company: int, event: str, payload: Body) -> None:
        for row in self._kit.store.rows("SELECT * FROM webhooks WHERE company_id = ? ORDER BY created_at", company):
            webhook = json.loads(row["body"])
            if event not in webhook["subscriptions"]:
                continue
            meta = {"version": "1", "timestamp": int(self._kit.clock.now() * 1000)}
            message = {"eventType": event, "webhookUuid": row["uuid"], "payload": payload, "meta": meta}
            arguments = (webhook, event, row["uuid"], json.dumps(message, ensure_ascii=False).encode())
            threading.Thread(target=self._send, args=arguments, daemon=True).start()

    def _send(self, webhook: Body, event: str, ident: str, body: bytes) -> None:
        try:
            status = _post(webhook["url"], body, self._signed(webhook, body))
        except (OSError, http.client.HTTPException):
            status = 0
        self._told.append({"uuid": ident, "event": event, "status": status})

    def _signed(self, webhook: Body, body: bytes) -> dict[str, str]:
        if webhook["authenticationType"] != "HMAC":
            return {}
        secret = str((webhook["authenticationMeta"] or {}).get("secret", ""))
        signature = hmac.new(secret.encode(), body, hashlib.sha256)
        if self._kit.switches["webhook_signature"] == "hex":
            return {"X-Procountor-Signature": signature.hexdigest()}
        return {"Authorization": f"HMAC {base64.b64encode(signature.digest()).decode()}"}


def _post(url: str, body: bytes, headers: dict[str, str]) -> int:
    """The status answered. Raises OSError, also for an address outside of this machine."""
    parts = urlsplit(url)
    if parts.scheme != "http" or parts.hostname not in LOOPBACK:
        msg = "the simulator speaks to this machine only, in plain HTTP"
        raise OSError(msg)
    link = http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=DELIVERY_TIMEOUT_SECONDS)
    try:
        where = parts.path or "/"
        where += f"?{parts.query}" if parts.query else ""
        link.request("POST", where, body, {"Content-Type": "application/json", **headers})
        return link.getresponse().status
    finally:
        link.close()


def add_webhooks(app: Flask, kit: Kit, writing: Writing) -> None:
    """`/webhooks`: those of this company and this client."""

    def body() -> Body:
        checked = writing.checked({**writing.raw()}, {**fields.WEBHOOK, "uuid": validation.text()})
        strange = [name for name in checked["subscriptions"] if name not in fields.EVENTS]
        if strange:
            raise WrongBody(("subscriptions", f"{str(strange[0])[:40]!r} is no event"))
        if urlsplit(checked["url"]).scheme not in ("http", "https"):
            raise WrongBody(("url", "must be an address"))
        if checked["authenticationType"] == "HMAC" and not isinstance(checked["authenticationMeta"], dict):
            raise WrongBody(("authenticationMeta", BLANK))
        return {name: checked[name] for name in fields.WEBHOOK}

    def own(ident: str) -> None:
        sql = "SELECT 1 FROM webhooks WHERE uuid = ? AND company_id = ? AND client_id = ?"
        if kit.store.row(sql, ident, writing.company, g.session.client_id) is None:
            raise NotThere

    @app.post("/webhooks")
    def add_webhook() -> Body:
        ident = str(uuid.uuid4())
        sql = "INSERT INTO webhooks (uuid, company_id, client_id, body, created_at) VALUES (?, ?, ?, ?, ?)"
        now = kit.clock.now()
        kit.store.write(sql, ident, writing.company, g.session.client_id, json.dumps(body()), now)
        return {"status": 200, "uuid": ident}

    @app.get("/webhooks")
    def list_webhooks() -> Body:
        query = request.args.to_dict()
        size = lists.number(query, "size", lists.DEFAULT_SIZE, least=1, most=lists.MAX_SIZE)
        page = lists.number(query, "page", 0, least=0)
        newest = lists.one_of(query, "orderByCreatedDate", "DESC", {"ASC", "DESC"}) == "DESC"
        sql = "SELECT * FROM webhooks WHERE company_id = ? AND client_id = ? ORDER BY created_at, uuid"
        rows = kit.store.rows(sql, writing.company, g.session.client_id)
        webhooks = [{"uuid": row["uuid"], **json.loads(row["body"])} for row in rows]
        webhooks = [one for one in webhooks if query.get("url", one["url"]) == one["url"]]
        webhooks = [one for one in webhooks if "eventType" not in query or query["eventType"] in one["subscriptions"]]
        results = (webhooks[::-1] if newest else webhooks)[page * size : (page + 1) * size]
        meta = {"pageNumber": page, "pageSize": size, "resultCount": len(results), "totalCount": len(webhooks)}
        return {"results": results, "meta": meta}

    @app.put("/webhooks/<ident>")
    def replace_webhook(ident: str) -> Body:
        own(ident)
        kit.store.write("UPDATE webhooks SET body = ? WHERE uuid = ?", json.dumps(body()), ident)
        return {"status": 200, "uuid": ident}

    @app.delete("/webhooks/<ident>")
    def remove_webhook(ident: str) -> Response:
        own(ident)
        kit.store.write("DELETE FROM webhooks WHERE uuid = ?", ident)
        return Response(status=204)
