"""`manage.py serve`: the web process, once every check has passed."""

from __future__ import annotations

import ipaddress
import logging
import signal
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.core.servers.basehttp import get_internal_wsgi_application

from portal.operations import metrics
from portal.operations.web_server import THREADS, Server

logger = logging.getLogger(__name__)

MAX_THREADS = 256


class Command(BaseCommand):
    help = "Serve the portal's pages. Ends with 3 and one line where something is not as it must be."
    requires_system_checks = []  # the WSGI application makes its own, which say in one line what is wrong

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--listen", default="127.0.0.1:8000", help="address:port (default: %(default)s)")
        parser.add_argument("--threads", type=int, default=THREADS, help="pages at a time (default: %(default)s)")

    def handle(self, *args: Any, listen: str, threads: int, **options: Any) -> None:
        host, _, number = listen.rpartition(":")
        try:
            address, port = ipaddress.ip_address(host.strip("[]")), int(number)
        except ValueError:
            port = -1
        if not 0 <= port < 65536 or not 0 < threads <= MAX_THREADS:
            text = f"--listen is an address and a port, such as 127.0.0.1:8000 or [::1]:8000; --threads 1 to {MAX_THREADS}."
            raise CommandError(text)
        application = get_internal_wsgi_application()
        try:
            server = Server(
                application, host=str(address), port=port, proxies=settings.TRUSTED_PROXIES, threads=threads
            )
        except OSError as error:
            text = f"cannot listen on {listen}: {error.strerror}"
            raise CommandError(text) from None
        if settings.METRICS_LISTEN is not None:
            try:
                metrics.serve(*settings.METRICS_LISTEN)
            except OSError as error:
                text = f"cannot listen on PORTAL_METRICS_LISTEN: {error.strerror}"
                raise CommandError(text) from None
        server.stop_at(signal.SIGTERM, signal.SIGINT)
        logger.info("listening on %s", listen)
        server.run()
