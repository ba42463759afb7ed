"""The web process's entry: `manage.py serve` serves it."""

from __future__ import annotations

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
django.setup(set_prefix=False)

from portal.operations.entry import Application  # noqa: E402  (needs the apps, which the line above loads)
from portal.operations.start import refuse_bad_start  # noqa: E402

refuse_bad_start("web")
application = Application()
