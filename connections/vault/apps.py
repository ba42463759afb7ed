"""Registers the app and its jobs."""

from __future__ import annotations

from django.apps import AppConfig


class VaultConfig(AppConfig):
    name = "connections.vault"
    label = "vault"

    def ready(self) -> None:
        from connections.jobs.registry import register
        from connections.vault import keys, resealing

        register(keys.MAKE_TENANT_KEY, queue="interactive", handler=keys.make_tenant_key)
        register(resealing.RESEAL, queue="sync", handler=resealing.reseal, tenant_required=False)
