"""Registers the app, and functions of it that packages in lower layers call without importing it."""

from __future__ import annotations

from django.apps import AppConfig


class TenancyConfig(AppConfig):
    name = "connections.tenancy"
    label = "tenancy"
