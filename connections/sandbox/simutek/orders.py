"""Sales orders: they come in over the API and are seen in GKS4 only; no call looks one up."""

from __future__ import annotations

import json
from typing import Any

from connections.sandbox.kit import Kit
from connections.sandbox.simutek.sample_data import Body

DEFAULT_NAME = "Webshop order"  # seen in an older crawl of the document
FIRST_NUMBER = 70_000


class Orders:
    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._store = kit.store

    def reset(self) -> None:
        self._store.write("DELETE FROM orders")

    def receive(self, body: Body, client_id: str) -> None:
        """Keep an order; the same one sent twice is two orders."""
        sql = """INSERT INTO orders (customer_number, purchase_order_number, client_id, received_at, body)
            VALUES (?, ?, ?, ?, ?)"""
        order = {**body, "name": body["name"] or DEFAULT_NAME}
        reference = body["purchaseOrderNumber"]
        now = self._kit.clock.now()
        self._store.write(sql, body["customerNumber"], reference, client_id, now, json.dumps(order))

    def all(self, purchase_order_number: str | None = None) -> list[dict[str, Any]]:
        """Newest first, all or those with this reference: what was sent, with GKS's own number and when it came."""
        sql = "SELECT * FROM orders WHERE ? IS NULL OR purchase_order_number = ? ORDER BY id DESC"
        return [
            {
                "id": row["id"],
                "number": str(FIRST_NUMBER + row["id"]),
                "clientId": row["client_id"],
                "receivedAt": row["received_at"],
                **json.loads(row["body"]),
            }
            for row in self._store.rows(sql, purchase_order_number, purchase_order_number)
        ]

    def count(self) -> int:
        row = self._store.row("SELECT count(*) AS found FROM orders")
        return 0 if row is None else int(row["found"])
