"""The web process's entry."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

application = get_wsgi_application()

from portal.operations.start import refuse_bad_start  # noqa: E402  (needs the apps, which the line above loads)

refuse_bad_start("web")
