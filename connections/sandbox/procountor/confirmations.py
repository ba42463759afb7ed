"""What waits for a person's yes in the Procountor Key app, and what comes of it."""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from connections.sandbox.kit import Kit
from connections.sandbox.procountor.accounts import Refused
from connections.sandbox.procountor.grants import Session
from connections.sandbox.procountor.reads import NotAllowed
from connections.sandbox.procountor.validation import Body
from connections.sandbox.procountor.webhooks import Webhooks

EXPIRY_SECONDS = 300  # specification: five minutes
APP = "PROCOUNTOR_KEY"
M2M_REFUSED = "This endpoint needs API authentication with two-factor confirmation"


@dataclass(frozen=True)
class Deed:
    """What is done once it is confirmed: takes the company and the detail, gives the result. May raise NotAllowed."""

    perform: Callable[[int, Body], Body]
    event: str


@dataclass
class Confirmations:
    """Every request for a confirmation is kept; `deeds` are what can be confirmed."""

    kit: Kit
    webhooks: Webhooks
    deeds: dict[str, Deed] = field(default_factory=dict)

    def reset(self) -> None:
        self.kit.store.write("DELETE FROM confirmations")

    def require_person(self, session: Session) -> None:
        """Raises NotAllowed for M2M, and for users without the app (certification 3.1, 3.2)."""
        if session.m2m or not session.user["person"]:
            raise NotAllowed(M2M_REFUSED)

    def ask(self, session: Session, deed: str, detail: Body, summary: str) -> tuple[Body, int]:
        """Send it to the person's app: the body and status of the answer."""
        ident = str(uuid.uuid4())
        sql = """INSERT INTO confirmations (id, company_id, user_id, deed, detail, summary, state, asked_at)
            VALUES (?, ?, ?, ?, ?, ?, 'waiting', ?)"""
        values = (session.company["id"], session.user["id"], deed, json.dumps(detail), summary)
        self.kit.store.write(sql, ident, *values, self.kit.clock.now())
        return {"transactionIdentifier": ident, "confirmationApp": APP}, 202

    def newest(self, company_id: int) -> list[sqlite3.Row]:
        sql = "SELECT * FROM confirmations WHERE company_id = ? ORDER BY asked_at DESC, rowid DESC LIMIT 50"
        return self.kit.store.rows(sql, company_id)

    def find(self, ident: str) -> sqlite3.Row | None:
        return self.kit.store.row("SELECT * FROM confirmations WHERE id = ?", ident)

    def state(self, row: sqlite3.Row) -> str:
        """waiting, expired, confirmed, rejected, or failed when it could no longer be done."""
        late = row["state"] == "waiting" and self.kit.clock.now() >= row["asked_at"] + EXPIRY_SECONDS
        return "expired" if late else str(row["state"])

    def decide(self, ident: str, *, confirmed: bool) -> str:
        """The person says yes or no; returns the new state. Raises Refused when there is nothing to decide."""
        with self.kit.store.transaction():
            row = self.find(ident)
            if row is None or self.state(row) != "waiting":
                raise Refused(field="id", message="Nothing with this identifier waits for confirmation.")
            deed, result = self.deeds[row["deed"]], None
            state = "confirmed" if confirmed else "rejected"
            if confirmed:
                try:
                    result = deed.perform(row["company_id"], json.loads(row["detail"]))
                except NotAllowed as why:
                    state, result = "failed", {"message": str(why)}
            sql = "UPDATE confirmations SET state = ?, result = ? WHERE id = ?"
            self.kit.store.write(sql, state, json.dumps(result), ident)
        if state == "confirmed":
            payload = {"transactionIdentifier": ident, "result": result}
            self.webhooks.deliver(row["company_id"], deed.event, payload)
        return state

    def outcome(self, session: Session, ident: str) -> tuple[int, Body]:
        """Status and body of `GET /mfatransactionresult/{id}`."""
        row = self.find(ident)
        if row is None or row["company_id"] != session.company["id"]:
            return 404, {"message": "Transaction not found"}
        if row["user_id"] != session.user["id"]:
            return 403, {"message": "Transaction does not belong to the user"}
        state = self.state(row)
        if state == "waiting":
            return 202, {"message": "Transaction not confirmed yet"}
        if state in ("rejected", "expired"):
            return (406 if state == "rejected" else 408), {"message": f"Transaction {state}"}
        if state == "failed":
            return 403, json.loads(row["result"])
        if row["told_at"] is not None and self.kit.switches["mfa_result_again"] == "409":
            return 409, {"message": "Transaction already processed"}
        self.kit.store.write("UPDATE confirmations SET told_at = ? WHERE id = ?", self.kit.clock.now(), ident)
        return 200, json.loads(row["result"])
