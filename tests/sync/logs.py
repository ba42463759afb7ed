"""The log of a run, as its page reads it."""

from __future__ import annotations

from connections.sync import sentences
from connections.sync.models import RunLogLine, SyncRun


def lines(run: SyncRun) -> list[sentences.Line]:
    """All of it, in order. Needs the tenant's scope."""
    return [sentences.read(line, run.connection.provider) for line in RunLogLine.objects.filter(run_id=run.id)]
