"""Who calls: a connection, for a run or a checkpoint; and what the request log will say of each of its attempts."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import transaction

from connections.spec import provider as spec
from connections.spec.errors import Blocked, Unavailable, Unreadable
from connections.transport import clock, egress, faults, ledger
from connections.transport.models import Outcome, RequestLogEntry
from connections.vault.models import ClientRegistration, Connection

if TYPE_CHECKING:
    from connections.transport.tokens import Living


@dataclass
class Caller:
    """`pending`: entries of good answers, not yet written. `token`: the one in use, opened (tokens.py)."""

    connection: Connection
    provider: spec.Provider
    hosts: spec.Hosts
    run_id: UUID | None = None
    checkpoint: str = ""
    pending: list[RequestLogEntry] = field(default_factory=list)
    token: Living | None = None

    @cached_property
    def client_id(self) -> str:
        """Our client id there, which a provider may count calls by; '' where requests carry the customer's own."""
        if self.provider.grants[0].client is not spec.Client.OURS:
            return ""
        with transaction.atomic():
            ours = ClientRegistration.objects.filter(
                provider=self.connection.provider, environment=self.connection.environment
            )
            return ours.values_list("client_id", flat=True).first() or ""

    def begin(self, *, operation: str, method: str, path_template: str, attempt: int = 1) -> RequestLogEntry:
        """An entry that says nothing about the answer yet."""
        return RequestLogEntry(
            id=uuid.uuid4(),
            at=clock.now(),
            tenant_id=self.connection.tenant_id,
            connection_id=self.connection.id,
            run_id=self.run_id,
            checkpoint=self.checkpoint,
            provider=self.connection.provider,
            environment=self.connection.environment,
            api_version=self.provider.api_version,
            operation=operation,
            method=method,
            path_template=path_template,
            outcome=Outcome.UNREACHABLE,
            attempt=attempt,
            duration_ms=0,
        )

    def send(
        self,
        entry: RequestLogEntry,
        *,
        url: str,
        total: float,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        json: Any = None,
    ) -> egress.Answer:
        """Send once and note what came of it. `total`: seconds. Raises Blocked, Unreadable (too large), Unavailable."""
        started = time.monotonic()
        try:
            answer = egress.send(
                hosts=self.hosts,
                method=entry.method,
                url=url,
                deadlines=self.provider.deadlines,
                total=total,
                headers=headers,
                query=query,
                form=form,
                json=json,
                keep=self.provider.request_id_headers,
            )
        except egress.NotAllowed:
            entry.outcome = Outcome.BLOCKED
            raise Blocked(faults.BLOCKED, entry_id=entry.id) from None
        except egress.TooLarge:
            entry.outcome = Outcome.UNREADABLE
            raise Unreadable(faults.UNREADABLE, entry_id=entry.id) from None
        except egress.EgressError:
            raise Unavailable(faults.NO_ANSWER, retry_at=clock.now(), entry_id=entry.id) from None
        finally:
            entry.duration_ms = round((time.monotonic() - started) * 1000)
        entry.status, entry.bytes_in = answer.status, len(answer.body)
        entry.provider_request_id = ledger.request_id(self.provider, answer.headers)
        entry.quota_left = _whole(answer.headers.get("x-rate-limit-remaining", ""))
        return answer


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
