"""Registers the app and its start-up checks."""

from __future__ import annotations

from django.apps import AppConfig


class OperationsConfig(AppConfig):
    name = "portal.operations"
    label = "operations"

    def ready(self) -> None:
        from portal.operations import checks, database_checks, role_checks  # noqa: F401  (importing registers them)
