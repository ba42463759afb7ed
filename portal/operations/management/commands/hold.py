"""`manage.py hold`: no job begins any more, so nobody is called and nothing is mailed, until `manage.py release`."""

from __future__ import annotations

from typing import Any

from portal.operations import dispatch
from portal.operations.owner import OwnerCommand


class Command(OwnerCommand):
    help = "Lets no job begin: before a copy is started that a server made by itself, or to stop everything at once."

    def handle(self, *args: Any, **options: Any) -> None:
        if dispatch.hold():
            self.stdout.write("Held: no job begins from now on; what is in hand goes on to its end.")
        else:
            self.stdout.write("Held already.")
        self.stdout.write("`manage.py release` lets them begin again.")
