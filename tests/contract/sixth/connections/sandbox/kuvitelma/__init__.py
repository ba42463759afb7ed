"""Kuvitelma's stand-in: consent and own clients, refresh tokens that work once, and things."""

from __future__ import annotations

import secrets
from typing import Any

from connections.sandbox.kuvitelma.api import api
from connections.sandbox.kuvitelma.books import SCHEMA, Books
from connections.sandbox.kuvitelma.pages import pages

from connections.sandbox.kit import Choice, Kit, Running, Simulator, Switch


def _open(kit: Kit) -> Running:
    books = Books(kit)
    ours = kit.store.get("client", None) or {"client_id": "portal", "client_secret": secrets.token_urlsafe(24)}
    ours["redirect_uri"] = kit.callback
    kit.store.set("client", ours)

    def state() -> dict[str, Any]:
        return {
            "live_access_tokens": books.living("access"),
            "live_refresh_tokens": books.living("refresh"),
            "created": {"things": books.created()},
        }

    return Running(
        api=api(kit, books),
        pages=pages(kit, books),
        hosts={"api": "/v1"},
        client=lambda: dict(ours),
        reset=books.reset,
        state=state,
    )


SIMULATOR = Simulator(
    slug="kuvitelma",
    name="Kuvitelma",
    place=9,
    summary="Consent and own clients; things over the API.",
    schema=SCHEMA,
    switches=(
        Switch(
            "envelope",
            "A list comes",
            (
                Choice("object", 'as {"things": [...]}'),
                Choice("bare", "as a bare array"),
            ),
            "object",
            "inferred",
            "Invented.",
        ),
    ),
    open=_open,
)
