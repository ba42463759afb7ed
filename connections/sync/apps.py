"""Registers the app and its jobs."""

from __future__ import annotations

from django.apps import AppConfig


class SyncConfig(AppConfig):
    name = "connections.sync"
    label = "sync"

    def ready(self) -> None:
        from connections.jobs.registry import register
        from connections.sync import engine, erasure, pausing, slots, states
        from connections.sync.schedule import SCHEDULED
        from connections.sync.services import RUN

        register(RUN, queue="sync", handler=engine.continue_run, on_parked=states.fail_parked_run)
        register(SCHEDULED, queue="interactive", handler=slots.start_due)
        register(pausing.FOLLOW, queue="interactive", handler=pausing.follow)
        register(erasure.DELETE_RECORDS, queue="sync", handler=erasure.delete_records)
