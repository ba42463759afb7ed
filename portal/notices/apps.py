"""Registers the app and what it hands to lower floors."""

from __future__ import annotations

from django.apps import AppConfig


class NoticesConfig(AppConfig):
    name = "portal.notices"
    label = "notices"

    def ready(self) -> None:
        from connections.jobs.registry import register
        from portal.notices import mail

        register(mail.SEND, queue="interactive", handler=mail.send, on_parked=mail.parked)
