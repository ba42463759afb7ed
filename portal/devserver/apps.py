"""The demo as an app: it brings `manage.py demo_data`, and is installed where PORTAL_MODE is `demo` alone."""

from __future__ import annotations

from django.apps import AppConfig


class DevserverConfig(AppConfig):
    name = "portal.devserver"
    label = "devserver"
