"""Registers the app and its job."""

from __future__ import annotations

from django.apps import AppConfig


class CallsConfig(AppConfig):
    name = "connections.calls"
    label = "calls"

    def ready(self) -> None:
        from connections.calls import dispatch
        from connections.calls.services import SEND
        from connections.jobs.registry import register

        register(SEND, queue="interactive", handler=dispatch.send, on_parked=dispatch.end_parked_call)
