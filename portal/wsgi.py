"""The web process's entry."""

from __future__ import annotations

import logging
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

application = get_wsgi_application()

from connections.transport.redaction import guard  # noqa: E402
from portal.operations.start import refuse_bad_start  # noqa: E402  (needs the apps, which the line above loads)

refuse_bad_start("web")
# Gunicorn writes its own lines, with whole addresses in those about errors.
guard(logging.getLogger("gunicorn.error"))
guard(logging.getLogger("gunicorn.access"))
