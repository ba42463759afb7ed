"""Everybody a page may meet, and every address with what each of them gets."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from django.urls import reverse
from django.utils import timezone

from connections.tenancy.scope import SYSTEM, tenant_scope
from connections.vault.models import ClientRegistration
from portal.members.permissions import HIGHEST_ROLE, Action, Role


@dataclass(frozen=True)
class Address:
    """One address inside a tenant: the action that it is a part of, and how it is asked for."""

    name: str
    action: Action
    args: tuple[str, ...] = ()  # keys of what `settle` returns
    method: str = "get"
    data: dict[str, str] = field(default_factory=dict)
    id_key: str = ""  # of an id that stands in the query

    @property
    def label(self) -> str:
        return f"{self.method} {self.name}"

    def url(self, slug: str, ids: dict[str, Any]) -> str:
        query = f"?id={ids[self.id_key]}" if self.id_key else ""
        return reverse(self.name, args=[slug, *(ids[key] for key in self.args)]) + query


ADDRESSES = [
    Address("home", Action.VIEW),
    Address("team", Action.VIEW),
    Address("start_connection", Action.CONNECT, ("provider",)),
    Address("start_connection", Action.CONNECT, ("provider",), "post", {"environment": "test"}),
    Address("connection", Action.VIEW, ("connection",)),
    Address("connection_poll", Action.VIEW, ("connection",)),
    Address("records", Action.READ_RECORDS, ("connection", "stream")),
    Address("record", Action.READ_RECORDS, ("connection", "stream"), id_key="record"),
    Address("record_json", Action.READ_RECORDS, ("connection", "stream"), id_key="record"),
    Address("checklist", Action.VIEW, ("connection",)),
    Address("checklist_poll", Action.VIEW, ("connection",)),
    Address("checkpoint", Action.VIEW, ("connection", "checkpoint")),
    Address("attest_checkpoint", Action.CONNECT, ("connection", "checkpoint"), "post"),
    Address("check_checkpoint", Action.CONNECT, ("connection", "checkpoint"), "post"),
    Address("submit_credentials", Action.CONNECT, ("connection", "key_checkpoint"), "post", {"api_key": "k" * 40}),
    Address("waive_checkpoint", Action.WAIVE, ("connection", "checkpoint"), "post"),
    Address("confirm_checkpoint", Action.CONNECT, ("connection", "checkpoint"), "post"),
    Address("start_login", Action.CONNECT, ("connection", "key_checkpoint", "login"), "post"),
    Address("give_handoff", Action.CONNECT, ("connection", "checkpoint"), "post", {"email": "kaisa@office.example"}),
    Address("withdraw_handoff", Action.CONNECT, ("connection", "checkpoint"), "post"),
    Address("stop_handoff_reminders", Action.CONNECT, ("connection", "checkpoint"), "post"),
    Address("activation", Action.CONNECT, ("activation",)),
    Address("activation_poll", Action.CONNECT, ("activation",)),
    Address("ask_consent", Action.CONNECT, ("activation",), "post"),
    Address("decide_activation", Action.CONNECT, ("activation",), "post", {"company": "101"}),
    Address("sync_now", Action.SYNC, ("connection",), "post"),
    Address("schedule", Action.VIEW, ("connection",)),
    Address(
        "change_schedule",
        Action.SYNC,
        ("connection",),
        "post",
        {"kind": "hand", "every_hours": "6", "streams": "accounts"},
    ),
    Address("pause_connection", Action.PAUSE, ("connection",)),
    Address("pause_connection", Action.PAUSE, ("connection",), "post", {"reason": "The year is being closed."}),
    Address("resume_connection", Action.PAUSE, ("connection",), "post"),
    Address("run", Action.VIEW, ("connection", "run")),
    Address("run_poll", Action.VIEW, ("connection", "run")),
    Address("cancel_run", Action.SYNC, ("connection", "run"), "post"),
    Address("try", Action.TRY_REQUESTS, ("connection",)),
    Address("switch_writes", Action.ALLOW_WRITES, ("connection",), "post", {"writes": "on"}),
    Address("try_fill", Action.TRY_REQUESTS, ("connection", "operation")),
    Address("try_fill", Action.TRY_REQUESTS, ("connection", "operation"), "post"),
    Address("try_send", Action.SEND_WRITES, ("connection", "operation"), "post"),
    Address("call", Action.TRY_REQUESTS, ("connection", "call")),
    Address("call_poll", Action.TRY_REQUESTS, ("connection", "call")),
    Address("call_settle", Action.SEND_WRITES, ("connection", "call"), "post", {"outcome": "done"}),
    Address("call_again", Action.SEND_WRITES, ("connection", "call"), "post"),
    Address("tenant_settings", Action.CHANGE_SETTINGS),
    Address("tenant_settings", Action.CHANGE_SETTINGS, (), "post", {"time_zone": "Asia/Tehran"}),
    Address("mail_choice", Action.VIEW),
    Address("mail_choice", Action.VIEW, (), "post", {"kinds": "broken"}),
    Address("invite", Action.MANAGE_TEAM, (), "post", {"email": "new@aamu.example", "role": "viewer"}),
    Address("invite_again", Action.MANAGE_TEAM, ("invitation",), "post", {"email": "corrected@aamu.example"}),
    Address("revoke_invitation", Action.MANAGE_TEAM, ("invitation",), "post"),
    Address("change_role", Action.MANAGE_TEAM, ("membership",), "post", {"role": "viewer"}),
    Address("disconnect", Action.DISCONNECT, ("connection",)),
    Address("move_server", Action.MOVE_SERVER, ("movable",)),
    Address("move_server", Action.MOVE_SERVER, ("movable",), "post", {"api_url": "https://other.example"}),
    Address("disconnect", Action.DISCONNECT, ("connection",), "post"),
    Address("data_statement", Action.VIEW, ("connection",)),
    Address("departure", Action.VIEW, ("left",)),
    Address("probe_departure", Action.DISCONNECT, ("left",), "post"),
    Address("departure_records", Action.DISCONNECT, ("left",), "post", {"records": "delete"}),
    Address("end_departure", Action.DISCONNECT, ("left",)),
    Address("end_departure", Action.DISCONNECT, ("left",), "post"),
    Address("audit", Action.SEE_AUDIT),
    Address("exports", Action.EXPORT),
    Address("exports", Action.EXPORT, (), "post", {"format": "csv"}),
    Address("connection_export", Action.EXPORT, ("connection",)),
    Address("connection_export", Action.EXPORT, ("connection",), "post", {"format": "jsonl", "stream": "invoices"}),
    Address("export", Action.EXPORT, ("export",)),
    Address("export_poll", Action.EXPORT, ("export",)),
    Address("download_export", Action.EXPORT, ("export", "file"), "post"),
    Address("end_export", Action.EXPORT, ("other_export",), "post"),
    Address("recording", Action.RECORD, ("connection",)),
    Address("recorded_call", Action.RECORD, ("connection", "recorded")),
    Address("stop_recording", Action.RECORD, ("connection",), "post"),
    Address("delete_recording", Action.RECORD, ("connection",), "post"),
    Address("start_recording", Action.RECORD, ("connection",), "post", {"minutes": "15"}),
    Address("remove_member", Action.MANAGE_TEAM, ("membership",)),
    Address("delete_recording", Action.RECORD, ("connection",)),
    Address("remove_member", Action.MANAGE_TEAM, ("membership",), "post"),
]


def settle(tenant: Any, owner: Any) -> dict[str, Any]:
    """A walk, a run, a call and an invitation in this tenant; their ids by the keys that addresses use."""
    from connections.calls.services import ask
    from connections.spec.operations import Arguments
    from connections.sync.models import SyncRun, Trigger
    from connections.sync.services import start_run
    from connections.transport.models import ActivationRequest, ActivationState
    from connections.vault.services import mark_healthy
    from portal.members.models import Invitation, Membership
    from portal.members.services import invite
    from portal.onboarding.services import begin

    ClientRegistration.objects.get_or_create(
        provider="procountor", environment="test", defaults={"client_id": "our-client-id"}
    )
    with tenant_scope(tenant.id):
        onboarding = begin(tenant=tenant, provider="procountor", environment="test", actor=SYSTEM)
        mark_healthy(connection=onboarding.connection)
        start_run(connection=onboarding.connection, trigger=Trigger.HAND, actor=SYSTEM)
        movable = begin(tenant=tenant, provider="simutek", environment="production", actor=SYSTEM).connection
        mark_healthy(connection=movable)
        call = ask(connection=onboarding.connection, operation="session", arguments=Arguments(), actor=owner.actor)
        invite(
            tenant=tenant,
            email=f"invited@{tenant.slug}.example",
            role=Role.VIEWER,
            actor=owner.actor,
            up_to=HIGHEST_ROLE,
        )
        asked = ActivationRequest(
            tenant=tenant, provider="procountor", environment="test", key_version=1, request_ciphertext=b"sealed"
        )
        asked.state = ActivationState.SHOWN
        companies = [["101", "Books 101"], ["102", "Books 102"]]
        asked.proposal = {"initiator": "Kaisa Kivi", "email": "kaisa@aamu.example", "companies": companies}
        asked.save(force_insert=True)
        return {
            "provider": "procountor",
            "login": "key-login",
            "activation": asked.id,
            "connection": onboarding.connection_id,
            "movable": movable.id,
            "left": left_connection(tenant),
            "checkpoint": "usage-settings",
            "key_checkpoint": "api-key",
            "run": SyncRun.objects.get(connection=onboarding.connection).id,
            "stream": "invoices",
            "record": read_record(onboarding.connection),
            "operation": "session",
            "call": call.id,
            "invitation": Invitation.objects.get(tenant=tenant, revoked_at__isnull=True).id,
            "recorded": recorded(onboarding.connection),
            **exported(onboarding.connection),
            "membership": Membership.objects.get(tenant=tenant, user=owner).id,
        }


def left_connection(tenant: Any) -> UUID:
    """A connection that was disconnected, whose key still opens the books. In the tenant's scope."""
    from connections.transport.models import Departure, LastProbe
    from connections.vault.models import ConnectionState, Leaving
    from portal.onboarding.services import begin

    connection = begin(tenant=tenant, provider="simutek", environment="production", actor=SYSTEM).connection
    now = timezone.now()
    connection.state, connection.leaving, connection.left_at = ConnectionState.DISCONNECTED, Leaving.NOT_OFFERED, now
    connection.save()
    probed = {"held_until": now + timedelta(days=7), "probed_at": now, "last_probe": LastProbe.LIVES}
    Departure(tenant=tenant, connection=connection, asked_by="portal", **probed).save(force_insert=True)
    return connection.id


def read_record(connection: Any) -> str:
    """The id of one record of one list that was read, of which the tenant's name is a part. In the tenant's scope."""
    from connections.sync.models import Record, StreamCursor

    now, external_id = timezone.now(), f"{connection.tenant.slug}-7"
    place = {"tenant": connection.tenant, "connection": connection, "stream": "invoices"}
    body = {"id": external_id, "invoiceNumber": 7, "lines": [{"n": 1}], "notes": None}
    record = Record(**place, external_id=external_id, body=body, change_number=1, added_at=now, changed_at=now)
    record.save(force_insert=True)
    StreamCursor(**place, records=1, read_at=now).save(force_insert=True)
    return external_id


def recorded(connection: Any) -> UUID:
    """One recorded request, as a worker would have kept it. In the tenant's scope."""
    from connections.transport.log import recording
    from connections.transport.models import RecordedCall
    from connections.vault.sealing import seal_to

    recording.destroy(connection)
    kept = recording.start(connection=connection, lasts=timedelta(minutes=15), actor=SYSTEM)
    call = RecordedCall(
        tenant=connection.tenant, recording=kept, entry_id=uuid4(), at=timezone.now(), operation="session", status=400
    )
    text = json.dumps(['{"id": 7}', '{"errors": ["<b>no such thing</b>"]}'])
    call.ciphertext = seal_to(kept.public_keyset, connection.tenant_id, recording.place_of(call.id), text)
    call.save(force_insert=True)
    return call.id


def exported(connection: Any) -> dict[str, UUID]:
    """An export that is ready, with one file, as a worker would have written it, and one without any. In the tenant's scope."""
    from connections.exports import services
    from connections.exports.models import Export, ExportChunk, ExportFile, ExportFormat, ExportState
    from connections.vault.sealing import seal_bytes_to

    export = services.ask(
        tenant=connection.tenant, connection=connection, stream="", export_format=ExportFormat.PARQUET, actor=SYSTEM
    )
    data = b"PAR1"
    file = ExportFile(tenant=connection.tenant, export=export, connection=connection, stream="invoices", records=1)
    file.is_written, file.chunks, file.size = True, 1, len(data)
    file.save(force_insert=True)
    place = services.place_of_chunk(file.id, 0)
    sealed = seal_bytes_to(export.public_keyset, connection.tenant_id, place, zlib.compress(data))
    ExportChunk(tenant=connection.tenant, file=file, place=0, size=len(data), ciphertext=sealed).save(
        force_insert=True
    )
    other = services.ask(
        tenant=connection.tenant, connection=connection, stream="", export_format=ExportFormat.JSON_LINES, actor=SYSTEM
    )
    Export.objects.filter(connection=connection).update(state=ExportState.DONE, ended_at=timezone.now())
    return {"export": export.id, "file": file.id, "other_export": other.id}


def missing(ids: dict[str, Any]) -> dict[str, Any]:
    """The same keys with ids that no row has."""
    absent = {key: UUID(int=7) if isinstance(value, UUID) else value for key, value in ids.items()}
    return absent | {"record": "none-7"}
