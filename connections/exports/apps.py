"""Registers the app and its jobs."""

from __future__ import annotations

from django.apps import AppConfig


class ExportsConfig(AppConfig):
    name = "connections.exports"
    label = "exports"

    def ready(self) -> None:
        from connections.exports import services, writing
        from connections.jobs.registry import register

        register(
            services.WRITE,
            queue="exports",
            handler=writing.write,
            on_parked=writing.give_up,
            retry_waits_seconds=(2, 10),
        )
        register(services.FORGET, queue="interactive", handler=writing.forget)
