"""The environment of a worker process of its own on the test database, for tests that need more than one process."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection

ROOT = Path(__file__).resolve().parent.parent


def database_url(role: str) -> str:
    """The test database's address with the login of `role` (WEB or WORKER)."""
    url = os.environ.get(f"DATABASE_URL_{role}")
    if not url:
        message = f"DATABASE_URL_{role} is not set: unset DATABASE_URL, so that the tests start their own server"
        raise AssertionError(message)
    head, _, query = url.partition("?")
    return f"{head.rpartition('/')[0]}/{connection.settings_dict['NAME']}" + (f"?{query}" if query else "")


def worker_environment(**more: str) -> dict[str, Any]:
    """What `up` gives a worker: its own database address, the secret key and the KEK."""
    hosts = {slug: asdict(parts) for slug, parts in settings.SANDBOX_HOSTS.items()}
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "PORTAL_MODE": "demo",
        "PORTAL_PROCESS": "worker",
        "PORTAL_SECRET_KEY_FILE": os.environ["PORTAL_SECRET_KEY_FILE"],
        "PORTAL_KEK_FILE": settings.KEK_FILE,
        "PORTAL_SANDBOX_HOSTS": json.dumps(hosts),
        "PORTAL_VAR": str(settings.VAR_DIR),
        "BROKER_URL": os.environ.get("BROKER_URL", ""),
        "DATABASE_URL": database_url("WORKER"),
        **more,
    }
