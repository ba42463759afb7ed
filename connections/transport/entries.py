"""What this caller notes of its attempts: whose they are, and the ones not yet written."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from uuid import UUID

from connections.spec.provider import Provider
from connections.transport import clock
from connections.transport.models import Outcome, RequestLogEntry
from connections.vault.models import Connection


@dataclass
class Noted:
    """Makes entries for one connection and run or checkpoint."""

    connection: Connection
    provider: Provider
    run_id: UUID | None
    checkpoint: str
    pending: list[RequestLogEntry] = field(default_factory=list)

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
