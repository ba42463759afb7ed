"""What dies or stands still in the storm, and who starts it again."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from typing import Any

from tests.drills.house import House, until
from tests.jobs import broker_troubles

WEIGHTS = {"child": 8, "worker": 4, "beat": 2, "stop": 2, "broker": 1}


class StormHouse(House):
    """Its database may be killed."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.restarts: list[datetime] = []
        self.lease_seconds = float(kwargs["lease_seconds"])

    def set_up_django(self, **more: str) -> None:
        super().set_up_django(**self.plan.kek, **self.plan.web_keyset, **more)

    @contextmanager
    def database_killed(self) -> Iterator[None]:
        assert self.postgres.process is not None
        self.postgres.process.kill()
        self.postgres.process.wait()
        yield
        self.postgres.start()
        self.restarts.append(datetime.now(timezone.utc))


class Deaths:
    """`one` lets something die; `start_what_ended` is the supervisor."""

    def __init__(self, house: StormHouse, chance: random.Random) -> None:
        self.house, self.chance = house, chance
        self.count: Counter[str] = Counter()
        self.resumed_after: list[float] = []  # seconds

    def one(self) -> None:
        deeds = {
            "child": self._kill_child, "worker": self._kill_worker, "beat": self._kill_beat, "stop": self._stop_child,
            "broker": self._trouble_broker,
        }  # fmt: skip
        [name] = self.chance.choices(list(WEIGHTS), list(WEIGHTS.values()))
        if deeds[name]():
            self.count[name] += 1

    def start_what_ended(self) -> None:
        """As a supervisor does: a process that starts while the database is away says so and ends."""
        for child in list(self.house.children.values()):
            if child.ended:
                self.house.run(child)

    def _holder(self) -> Any:
        from connections.jobs.models import Job

        rows = list(Job.objects.filter(kind="sync.run", state="running", starts__lt=3).values("id", "owner", "epoch"))
        return self.chance.choice(rows) if rows else None

    def _kill_child(self, wanted: int = signal.SIGKILL) -> bool:
        holder = self._holder()
        if holder is None:
            return False
        pid = int(holder["owner"].rpartition(":")[2])
        try:
            os.kill(pid, wanted)
        except ProcessLookupError:
            return False
        if wanted == signal.SIGSTOP:
            time.sleep(3 * self.house.lease_seconds)
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        self._watch_resuming(holder)
        return True

    def _stop_child(self) -> bool:
        return self._kill_child(signal.SIGSTOP)

    def _watch_resuming(self, holder: dict[str, Any]) -> None:
        """How long it takes until somebody goes on with the run, looked at beside everything else."""
        from connections.jobs.models import Job

        began = time.monotonic()

        def look() -> None:
            from django.db import DatabaseError, connection

            try:
                while time.monotonic() - began < 120:
                    with suppress(DatabaseError):
                        job = Job.objects.filter(id=holder["id"]).values("epoch", "state").first()
                        if job is None or job["epoch"] > holder["epoch"] or job["state"] not in ("running", "queued"):
                            self.resumed_after.append(time.monotonic() - began)
                            return
                    time.sleep(0.1)
            finally:
                connection.close()

        threading.Thread(target=look, daemon=True).start()

    def _kill_worker(self) -> bool:
        queue = self.chance.choice(["sync", "sync", "interactive"])
        self.house.kill_worker(queue)
        time.sleep(self.chance.uniform(0.0, 0.5))
        self.house.start_worker(queue)
        return True

    def _kill_beat(self) -> bool:
        beat = self.house.children["beat"]
        if beat.process is not None:
            os.killpg(beat.process.pid, signal.SIGKILL)
            beat.process.wait()
        self.house.run(self.house.plan.beat())
        return True

    def _trouble_broker(self) -> bool:
        name = self.chance.choice(["emptied", *broker_troubles.TROUBLES])
        if name == "emptied":
            broker_troubles.client(self.house.valkey).flushall()
            return True
        with broker_troubles.TROUBLES[name](self.house.valkey):
            time.sleep(1)
        return True

    def of_the_database(self) -> None:
        with self.house.database_killed():
            pass
        self.count["database"] += 1
        self._until_the_database_answers()

    @staticmethod
    def _until_the_database_answers() -> None:
        from django.db import DatabaseError, connection

        def answers() -> bool:
            try:
                connection.close()
                with connection.cursor() as cursor:
                    cursor.execute("SELECT 1")
            except DatabaseError:
                return False
            return True

        until(answers, "the database", every=0.1)
