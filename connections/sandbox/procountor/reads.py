"""The calls that read lists and single records, behind the rights of the user."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask, Response, g, request

from connections.sandbox.kit import Kit
from connections.sandbox.procountor import lists, rights
from connections.sandbox.procountor.catalogue import STREAMS, Stream
from connections.sandbox.procountor.grants import Session
from connections.sandbox.procountor.records import Entry, Records
from connections.sandbox.procountor.tokens import trouble

JSON = "application/json;charset=UTF-8"
FORBIDDEN = "Insufficient user rights"


class NotAllowed(Exception):
    """A call that the user's rights or the state of a record do not allow; the text says which."""


def visible(records: Records, session: Session, stream: Stream, asked_kinds: set[str]) -> list[Entry] | None:
    """What this user may see; None when nothing of what was asked is open to the user."""
    entries = records.all(session.company["id"], stream.name)
    levels, own = session.levels, session.user["id"]
    if set(stream.opened_by) == {""}:
        if not rights.opens(levels, stream.needed("")):
            return None
        limited = stream.name == "dimensions" and levels.get("user.limitedDimensions") is True
        return list(entries[::2]) if limited else list(entries)
    # What a company without any record may see is decided by all the types there are.
    kinds = {e.kind for e in entries} or set(stream.opened_by)
    closed = {kind for kind in kinds | asked_kinds if not rights.opens(levels, stream.needed(kind))}
    if (asked_kinds or kinds) <= closed:
        return None
    personal = stream.name == "invoices" and levels.get("sales.personalSalesInvoicesOnly") is True
    if not closed and not personal:
        return list(entries)
    return [
        e
        for e in entries
        if e.kind not in closed and not (personal and e.kind.startswith("SALES") and e.creator != own)
    ]


def require(stream: Stream, kind: str) -> None:
    """The right to change records of this type. Raises NotAllowed."""
    if not rights.opens(g.session.levels, stream.needed(kind), to_change=True):
        raise NotAllowed(FORBIDDEN)


def add_reading(app: Flask, kit: Kit, records: Records) -> None:
    """`GET` of every stream, and of single records where there is such a call."""

    def listing(stream: Stream) -> Response:
        query, headers = request.args.to_dict(), {name: request.headers.get(name) for name in stream.headers}
        if "invoiceId" in query:
            query["invoiceId"] = ",".join(request.args.getlist("invoiceId"))
        refused = kit.switches["account_number_query"] == "refused"
        if "accountNumber" in stream.headers and "accountNumber" in query and refused:
            raise lists.WrongParameter(field="accountNumber", message="is accepted as an HTTP header only")
        entries = visible(records, g.session, stream, lists.requested_kinds(query, stream))
        if entries is None:
            if kit.switches["missing_right"] == "403":
                return trouble(403, FORBIDDEN)
            g.note, entries = "empty for want of a right", []
        if not stream.paged:
            return Response(lists.whole_list(stream, entries), content_type=JSON)
        body = lists.page(
            entries,
            query,
            {name: value for name, value in headers.items() if value is not None},
            stream,
            inclusive=kit.switches["version_bounds"] == "inclusive",
            total_count=kit.switches.on("total_count"),
            later_release=kit.switches.on("later_release"),
        )
        return Response(body, content_type=JSON)

    def getting(stream: Stream, ids: str) -> Response:
        entries = visible(records, g.session, stream, set())
        if entries is None:
            return trouble(403, FORBIDDEN)

        def full(one: Entry) -> dict[str, Any]:
            return records.whole(stream.name, one)

        body = lists.by_ids(entries, ids, full)
        return trouble(404, "Not found") if body is None else Response(body, content_type=JSON)

    def lister(stream: Stream) -> Callable[[], Response]:
        return lambda: listing(stream)

    def getter(stream: Stream) -> Callable[[str], Response]:
        def one(number: str) -> Response:
            return getting(stream, number) if number.isdecimal() else trouble(404, "Not found")

        return (lambda ids: getting(stream, ids)) if stream.many_by_id else one

    for stream in STREAMS.values():
        app.add_url_rule(stream.path, f"list_{stream.name}", lister(stream), methods=["GET"])
        if stream.many_by_id:
            app.add_url_rule(f"{stream.path}/<ids>", f"get_{stream.name}", getter(stream), methods=["GET"])
        elif stream.name in ("payments", "bank_accounts", "dimensions"):
            app.add_url_rule(f"{stream.path}/<number>", f"get_{stream.name}", getter(stream), methods=["GET"])
