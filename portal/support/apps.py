"""Registers the app, its jobs, and functions of it that packages in lower layers call without importing it."""

from __future__ import annotations

from django.apps import AppConfig


class SupportConfig(AppConfig):
    name = "portal.support"
    label = "support"

    def ready(self) -> None:
        from connections.jobs.registry import register
        from portal.support import planned_actions, visits

        register(
            planned_actions.CARRY_OUT, queue="interactive", handler=planned_actions.carry_out, tenant_required=False
        )
        register(visits.MAIL_OWNERS, queue="interactive", handler=visits.mail_owners_of_visit)
