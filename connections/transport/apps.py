"""Registers the app and its jobs."""

from __future__ import annotations

from django.apps import AppConfig


class TransportConfig(AppConfig):
    name = "connections.transport"
    label = "transport"

    def ready(self) -> None:
        from connections.jobs.registry import register
        from connections.transport import authorization, leaving

        register(authorization.EXCHANGE, queue="interactive", handler=authorization.exchange)
        register(leaving.LEAVE, queue="interactive", handler=leaving.leave)
