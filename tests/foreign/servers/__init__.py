"""A server for each provider, written from its document."""

from __future__ import annotations

from collections.abc import Mapping

from tests.foreign.server import ForeignServer
from tests.foreign.servers.hesabit import HesabitServer
from tests.foreign.servers.pentamic import PentamicServer
from tests.foreign.servers.procountor import ProcountorServer
from tests.foreign.servers.simutek import SimutekServer
from tests.foreign.servers.smartbusiness import SmartBusinessServer

SERVERS: Mapping[str, type[ForeignServer]] = {
    each.slug: each for each in (ProcountorServer, SmartBusinessServer, PentamicServer, SimutekServer, HesabitServer)
}
