"""Registers the app, and functions of it that packages in lower layers call without importing it."""

from __future__ import annotations

from django.apps import AppConfig


class NoticesConfig(AppConfig):
    name = "portal.notices"
    label = "notices"

    def ready(self) -> None:
        from connections.jobs.registry import register
        from portal.members.mailing import connect_deliveries
        from portal.notices import error_groups, mail
        from portal.notices.deliveries import deliveries_of

        connect_deliveries(deliveries_of)
        for kind, queue in ((mail.SEND, "mail"), (mail.SEND_URGENT, "urgent-mail")):
            register(
                kind,
                queue=queue,
                handler=mail.send,
                on_parked=mail.parked,
                retry_waits_seconds=mail.RETRY_WAITS_SECONDS,
                tenant_required=False,
            )
        register(
            error_groups.SUMMARY,
            queue="mail",
            handler=error_groups.summarise,
            on_parked=error_groups.gave_up,
            tenant_required=False,
        )
