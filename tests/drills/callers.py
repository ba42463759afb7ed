"""Caller processes for the drill of the rotating tokens: forked from one that has set Django up, and killed at will."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing import forkserver
from multiprocessing.connection import Connection as Pipe
from uuid import UUID

THREADS = 8
PRELOADED = ("worker_side", "house", "rotating_provider")  # and with them what the drill itself imports
CALL, EXCHANGE_CLAIM = "call", "trade"


def name_of(pid: int) -> str:
    """By which the database knows a caller."""
    return f"caller-{pid}"


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


class Nursery:
    """Starts callers quickly: they are forked from a process that has everything imported and nothing open."""

    def __init__(self, environment: Mapping[str, str], tenant_id: UUID, connection_id: UUID) -> None:
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload([f"tests.drills.{name}" for name in PRELOADED])
        self.ids = (str(tenant_id), str(connection_id))
        with _environment(environment):
            forkserver.ensure_running()

    def caller(self) -> CallerProcess:
        return CallerProcess(self)


class CallerProcess:
    """One process with eight threads that call at the same moment."""

    def __init__(self, nursery: Nursery) -> None:
        self.pipe, theirs = nursery.context.Pipe()
        self.process = nursery.context.Process(target=serve, args=(theirs, *nursery.ids), daemon=True)
        self.process.start()
        self.is_killed = False
        theirs.close()

    @property
    def pid(self) -> int:
        assert self.process.pid is not None
        return self.process.pid

    def tell(self, *order: str) -> None:
        self.pipe.send(order)

    def heard(self, seconds: float) -> list[str] | None:
        """What its calls came to; None where it died first."""
        try:
            if not self.pipe.poll(seconds):
                message = f"caller {self.pid} did not answer within {seconds:.0f} s"
                raise TimeoutError(message)
            return list(self.pipe.recv())
        except (EOFError, ConnectionResetError):
            return None

    def kill(self) -> None:
        self.is_killed = True
        self.process.kill()
        self.process.join()

    def end(self) -> None:
        self.kill()
        self.pipe.close()


def serve(pipe: Pipe, tenant_id: str, connection_id: str) -> None:
    """In the caller: do what the drill orders, until it hangs up."""
    from tests.drills import worker_side

    worker_side.serve(pipe, tenant_id, connection_id)
