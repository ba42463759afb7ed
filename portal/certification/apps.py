"""Registers the app and its jobs."""

from __future__ import annotations

from django.apps import AppConfig


class CertificationConfig(AppConfig):
    name = "portal.certification"
    label = "certification"

    def ready(self) -> None:
        from connections.jobs.registry import register
        from portal.certification import reports

        register(
            reports.COMPUTE,
            queue="exports",
            handler=reports.compute_report,
            on_parked=reports.give_up,
            tenant_required=False,
        )
