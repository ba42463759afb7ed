#!/usr/bin/env python
"""Django's command line: `manage.py up` starts everything, `manage.py bootstrap` the first tenant."""

from __future__ import annotations

import os
import sys


def main() -> None:
    if sys.argv[1:2] == ["up"]:
        # It starts the database that the settings ask for, so it runs before they are read.
        from portal.devserver.up import main as up

        sys.exit(up(sys.argv[2:]))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
