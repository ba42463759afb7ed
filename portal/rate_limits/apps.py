"""Registers the app, and closes its connections where Django closes its own."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.core.signals import request_finished, request_started


class RateLimitsConfig(AppConfig):
    name = "portal.rate_limits"
    label = "rate_limits"

    def ready(self) -> None:
        request_started.connect(_close_if_old)
        request_finished.connect(_close_if_old)


def _close_if_old(**kwargs: Any) -> None:
    from portal.rate_limits import database

    database.close_if_old()
