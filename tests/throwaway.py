"""A migrated database that is thrown away, for scripts that read its catalogue outside of a test run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def migrated_database() -> Iterator[None]:
    """Django set up over a database with every migration, on the tests' server unless DATABASE_URL names one."""
    from tests import postgres_plugin

    postgres_plugin.prepare_environment()
    postgres_plugin.start_servers()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    import django

    django.setup()
    from tests import databases

    with databases.test_database():
        yield
