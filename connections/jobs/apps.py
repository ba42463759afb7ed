"""Registers the app and connects the doorbell."""

from __future__ import annotations

from django.apps import AppConfig


class JobsConfig(AppConfig):
    name = "connections.jobs"
    label = "jobs"

    def ready(self) -> None:
        from connections.jobs import tasks  # noqa: F401  (needs the apps loaded; connects the doorbell)
