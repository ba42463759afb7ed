"""Registers the app, and functions of it that packages in lower layers call without importing it."""

from __future__ import annotations

from django.apps import AppConfig
from django.db.models import CharField

from connections.tenancy.name_parts import HasPart


class TenancyConfig(AppConfig):
    name = "connections.tenancy"
    label = "tenancy"

    def ready(self) -> None:
        CharField.register_lookup(HasPart)
