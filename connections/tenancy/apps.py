"""Registers the app and what it hands to lower floors."""

from __future__ import annotations

from django.apps import AppConfig


class TenancyConfig(AppConfig):
    name = "connections.tenancy"
    label = "tenancy"
