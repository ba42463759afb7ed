"""A migrated database that is thrown away, for scripts that read its catalogue outside of a test run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def migrated_database() -> Iterator[None]:
    """Django set up over an empty database with every migration, on a server of its own unless DATABASE_URL names one."""
    from tests import postgres_plugin

    os.environ.setdefault("BROKER_URL", "redis://localhost:1/0")  # nobody is rung for
    postgres_plugin.pytest_load_initial_conftests()
    try:
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
        import django
        from django.test.utils import setup_databases, teardown_databases

        django.setup()
        made = setup_databases(verbosity=0, interactive=False, aliases={"default"}, serialized_aliases=set())
        try:
            yield
        finally:
            teardown_databases(made, verbosity=0)
    finally:
        postgres_plugin.pytest_unconfigure()
