"""How a record is told: its plain fields, the parts asked for by `with`, and the switches that bend both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from connections.sandbox.kit import Kit
from connections.sandbox.smartbusiness.catalogue import Collection, Fields
from connections.sandbox.smartbusiness.grants import Session
from connections.sandbox.smartbusiness.records import Entry, Records, encode
from connections.sandbox.smartbusiness.sample_data import CATEGORIES, UNITS

STORED_PARTS = {"main_address", "groups", "custom_fields", "positions", "texts", "free_texts"}
UNKNOWN_FIELD, UNKNOWN_VALUE = "zz_simulated", "ZZ"


class Serializer:
    """Encodes records; plain ones are ready, parts are encoded once, what depends on the caller each time."""

    def __init__(self, kit: Kit, records: Records) -> None:
        self._kit, self._records = kit, records

    def item(self, entry: Entry, shape: Collection, parts: Sequence[str], session: Session, language: str) -> bytes:
        plain = self._plain(entry, shape)
        if not parts:
            return plain
        encoded = [self._part(entry, shape, name, session, language) for name in parts]
        return plain[:-1] + b"," + b",".join(encoded) + b"}"

    def _plain(self, entry: Entry, shape: Collection) -> bytes:
        as_text, strange = self._kit.switches["numbers"] == "text", self._kit.switches.on("unknown_values")
        if not as_text and not strange:
            return entry.encoded
        body = dict(entry.body)
        if as_text:
            body = _as_text(body, shape.fields)
        if strange:
            body[UNKNOWN_FIELD] = {"of": "no document"}
            for name in ("status", "communication_channel", "auto_sync"):
                if name in body and entry.id % 2:
                    body[name] = UNKNOWN_VALUE
        return encode(body)

    def _part(self, entry: Entry, shape: Collection, name: str, session: Session, language: str) -> bytes:
        if name in STORED_PARTS:
            if name == "positions" and self._kit.switches["numbers"] == "text":
                inner = shape.parts["positions"].inner
                return b'"positions":' + encode([_as_text(each, inner) for each in entry.parts["positions"]])
            return entry.encoded_part(name)
        return encode(name) + b":" + encode(self._computed(entry, shape, name, session, language))

    def _computed(self, entry: Entry, shape: Collection, name: str, session: Session, language: str) -> Any:
        company = session.company["id"]
        if name == "permissions":
            if session.rights[shape.right] != "edit":
                return ["view"]
            return ["view", "edit", "manage"] if shape.document else ["view", "edit"]
        if name == "category_name":
            return CATEGORIES.get(entry.body["category_id"])
        if name == "unit_name":
            return UNITS.get(entry.body["unit_id"], {}).get(language)
        if name == "workflow":
            return [{"status": entry.body["status"], "date_time": entry.body["created"]}]
        if name in ("contact", "contact_name"):
            contact = self._records.entry(company, "contacts", entry.body["contact_id"])
            return None if contact is None else contact.body if name == "contact" else contact.body["name"]
        if name == "contact_address":
            return self._records.address(company, entry.body["contact_id"])
        if name == "bank_account":
            account = self._records.entry(company, "bank_accounts", entry.body["bank_account_id"] or 0)
            return None if account is None else account.body
        return None


def _as_text(body: dict[str, Any], fields: Fields) -> dict[str, Any]:
    return {
        name: str(value) if name in fields and fields[name].kind == "float" and value is not None else value
        for name, value in body.items()
    }
