"""Registers the app and what it hands to lower floors."""

from __future__ import annotations

from django.apps import AppConfig


class MembersConfig(AppConfig):
    name = "portal.members"
    label = "members"

    def ready(self) -> None:
        from portal.members import signals  # noqa: F401  (connects)
