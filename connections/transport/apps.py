"""Registers the app and its jobs."""

from __future__ import annotations

from django.apps import AppConfig


class TransportConfig(AppConfig):
    name = "connections.transport"
    label = "transport"

    def ready(self) -> None:
        from connections.jobs.registry import register
        from connections.transport import jobs
        from connections.transport.log import recording
        from connections.transport.oauth import activation, authorization, revocation

        register(
            authorization.EXCHANGE,
            queue="interactive",
            handler=jobs.exchange,
            on_parked=authorization.gave_up,
        )
        register(revocation.REVOKE, queue="interactive", handler=jobs.revoke, on_parked=revocation.gave_up)
        register(revocation.PROVE, queue="interactive", handler=revocation.prove, on_parked=revocation.gave_up)
        register(recording.FORGET, queue="interactive", handler=recording.forget)
        register(activation.SHOW, queue="interactive", handler=activation.show, on_parked=activation.gave_up)
        register(activation.DECIDE, queue="interactive", handler=activation.carry_out, on_parked=activation.gave_up)
