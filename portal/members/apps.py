"""Registers the app, and ties seeds of second factors to their rows."""

from __future__ import annotations

from django.apps import AppConfig


class MembersConfig(AppConfig):
    name = "portal.members"
    label = "members"

    def ready(self) -> None:
        # Models can be imported only now.
        from portal.members import seeds, signals  # noqa: F401  (connects)

        seeds.connect_signals()
