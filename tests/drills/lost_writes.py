"""Writes whose answers are lost and whose workers die; then the other side's books are compared with ours.

    python -m tests.drills.lost_writes --target orders --count 2000 --seed 1
    python -m tests.drills.lost_writes --target double --count 280 --seed 1

Real PostgreSQL, Valkey, Celery workers and beat. `orders` are sales orders at Simutek's simulator, which nothing finds
again; `double` is a made-up ledger that can be looked through. Each write has a reference of its own and meets a fate
drawn by the seed: the line is cut before, during or after the deed, a gateway answers 500, 503 or 504, the deed comes late,
or whoever sent it is killed with -9 (the pool child, or the whole worker) while it waits. Nobody helps until everything has
come to rest. Then, reference by reference: nothing done twice, nothing taken for done that is not, nothing taken for not
done that is, and every unknown outcome either found by a look or waiting for a person. At last a person decides each of
these by looking at the other side's books, what was not done is sent again, and everything must be there once. Ends with 1
at the first difference.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.drills.house import House, running, until
from tests.drills.targets import FATES, TARGETS, Target

AT_ONCE = 28  # writes asked for before those before them are over
MOST_BESIDE = 1  # calls that a whole worker is handling beside the one it is killed for
PATIENCE = 240  # seconds for a batch to come to rest


@dataclass
class Figures:
    writes: int = 0
    fates: Counter[str] = field(default_factory=Counter)
    child_kills: int = 0
    worker_kills: int = 0
    not_killed: int = 0  # senders that should have died and could not be found
    at_rest: Counter[str] = field(default_factory=Counter)
    found_by_look_up: int = 0
    waiting_for_a_person: int = 0
    sent_again: int = 0
    doubled: int = 0
    silently_lost: int = 0
    wrongly_given_up: int = 0


class Drill:
    """One connection that is written to while everything goes wrong."""

    def __init__(self, house: House, target: Target, chance: random.Random, count: int, fine: int) -> None:
        """`fine`: writes that nothing happens to, for each one that meets a fate."""
        self.house, self.target, self.chance, self.count, self.fine = house, target, chance, count, fine
        self.figures = Figures()
        self.wrong: list[str] = []
        self.fates: dict[str, str] = {}
        self.calls: dict[str, Any] = {}  # the latest call by reference

    def go(self) -> Figures:
        from connections.calls.services import switch_writes
        from connections.tenancy.scope import SYSTEM, tenant_scope

        connections = self.target.connect(self.house)
        for connection in connections:
            with tenant_scope(connection.tenant_id):
                switch_writes(connection=connection, on=True, actor=SYSTEM)
        self.turns = cycle(connections)
        # Every fate as often as every other, in any order. Most writes are fine, so that the breaker, which has a drill of
        # its own, stays closed.
        drawn = (list(FATES) * (self.count // len(FATES) + 1))[: self.count // (self.fine + 1)]
        self.chance.shuffle(drawn)
        drawn = [each for fate in drawn for each in (*["fine"] * self.fine, fate)]
        for start in range(0, self.count, AT_ONCE):
            self._write({f"R-{number:05}": fate for number, fate in enumerate(drawn[start : start + AT_ONCE], start)})
        self._come_to_rest(set(self.fates))
        until(lambda: not self.target.owed(), "what is done late")
        self._compare()
        self._decide()
        self._compare_in_the_end()
        return self.figures

    # -- writing ---------------------------------------------------------------------------------------------------

    def _write(self, batch: dict[str, str]) -> None:
        """Ask for a batch and wait until each of its writes has left and met its fate."""
        from connections.calls.services import ask
        from connections.spec.operations import Arguments
        from connections.tenancy.scope import SYSTEM, tenant_scope

        for (reference, fate), connection in zip(batch.items(), self.turns, strict=False):
            body = self.target.prepare(reference, fate)
            self.fates[reference] = fate
            self.figures.fates[fate] += 1
            with tenant_scope(connection.tenant_id):
                self.calls[reference] = ask(
                    connection=connection,
                    operation=self.target.operation,
                    arguments=Arguments(body=body),
                    actor=SYSTEM,
                )
            self.figures.writes += 1
        until(lambda: self._have_left(set(batch)), f"{sorted(batch)} to leave", seconds=PATIENCE)
        print(f"  {self.figures.writes} of {self.count} written", flush=True)

    def _have_left(self, references: set[str]) -> bool:
        self._kill()
        states = self._states(references)
        waiting = {reference for reference in references if self.fates[reference] != "busy"}
        return not any(states[reference] in ("queued", "sent") for reference in waiting)

    def _come_to_rest(self, references: set[str]) -> None:
        def is_over() -> bool:
            self._kill()
            return not any(call.is_in_progress for call in self._now(references).values())

        until(is_over, lambda: f"rest; moving: {self._moving(references)}", seconds=PATIENCE, every=0.2)

    def _now(self, references: set[str]) -> dict[str, Any]:
        from connections.calls.models import Call

        found = Call.objects.in_bulk([self.calls[reference].id for reference in references])
        return {reference: found[self.calls[reference].id] for reference in references}

    def _states(self, references: set[str]) -> dict[str, str]:
        return {reference: call.state for reference, call in self._now(references).items()}

    def _moving(self, references: set[str]) -> list[str]:
        now = self._now(references)
        return [f"{reference} {now[reference].state}" for reference in references if now[reference].is_in_progress]

    # -- killing ---------------------------------------------------------------------------------------------------

    def _kill(self) -> None:
        """Whoever waits for the answer to a write whose fate says so."""
        from connections.jobs.models import Job

        for reference in sorted(self.target.held()):
            job = Job.objects.filter(subject=self.calls[reference].id, state="running").first()
            if job is not None:
                self._kill_one(int(job.owner.rpartition(":")[2]))
            else:
                self.figures.not_killed += 1
            self.target.release(reference)

    def _kill_one(self, pid: int) -> None:
        if (self.figures.child_kills + self.figures.worker_kills) % 3 == 1:
            self.house.kill_worker("interactive")
            self.figures.worker_kills += 1
            self.house.start_worker("interactive")
            return
        try:
            os.kill(pid, signal.SIGKILL)
            self.figures.child_kills += 1
        except ProcessLookupError:
            pass  # the whole worker was killed for another one a moment ago

    # -- the books -------------------------------------------------------------------------------------------------

    def _compare(self) -> None:
        """What we believe against what was really done, before any person has decided anything."""
        books = self.target.books()
        for reference, call in self._now(set(self.fates)).items():
            done = books.get(reference, 0)
            self.figures.at_rest[call.state] += 1
            self.figures.found_by_look_up += call.found_by_look_up
            self.figures.doubled += max(done - 1, 0)
            self.figures.silently_lost += call.state == "answered" and not done
            self.figures.wrongly_given_up += call.state in ("refused", "failed") and bool(done)
            if call.state == "unknown":
                self.figures.waiting_for_a_person += 1
                if not call.needs_a_person:
                    self._say(reference, "unknown, and nobody is asked")
                if self.target.is_looked_up and done:
                    self._say(reference, f"done, looked for {call.looks} times, and left to a person: {call.why}")
            elif call.state not in ("answered", "refused", "failed"):
                self._say(reference, f"came to rest as {call.state}")
            if call.state == "refused" and self.fates[reference] != "refused":
                self._say(reference, "refused, which nobody did")
        fine = [call.state for reference, call in self._now(self._of("fine")).items()]
        # One that another's worker was handling when it was killed has no answer.
        if len(fine) - fine.count("answered") > MOST_BESIDE * self.figures.worker_kills:
            self.wrong.append(f"of those that nothing happened to: {Counter(fine)}")
        if self.figures.not_killed > len(self._of("kill")) / 10:
            self.wrong.append(f"{self.figures.not_killed} senders were not killed")
        if self.target.is_looked_up != bool(self.figures.found_by_look_up):
            self.wrong.append(f"{self.figures.found_by_look_up} were found by a look")
        self._judge()

    def _of(self, fate: str) -> set[str]:
        return {reference for reference, its in self.fates.items() if its.partition("-")[0] == fate}

    def _decide(self) -> None:
        """A person looks at the other side's books and says what is there; what is not is sent once more."""
        from connections.calls.services import send_again, settle
        from connections.tenancy.scope import SYSTEM, tenant_scope

        self.target.forgive()  # who died with another's worker before it was heard has met its fate
        again, books = set(), self.target.books()
        for reference, call in self._now(set(self.fates)).items():
            if call.state != "unknown":
                continue
            done = bool(books.get(reference))
            with tenant_scope(call.tenant_id):
                settle(call=call, done=done, actor=SYSTEM)
                if not done:
                    self.calls[reference] = send_again(call=call, actor=SYSTEM)
                    again.add(reference)
        self.figures.sent_again = len(again)
        self._come_to_rest(again)
        for reference, call in self._now(again).items():
            if call.state != "answered":
                self._say(reference, f"sent again, and {call.state}: {call.fault}")

    def _compare_in_the_end(self) -> None:
        books = self.target.books()
        for reference, fate in self.fates.items():
            done, wanted = books.get(reference, 0), int(fate != "refused")
            self.figures.doubled += max(done - 1, 0)
            if done != wanted:
                self._say(reference, f"done {done} times in the end")
        self._judge()

    def _say(self, reference: str, what: str) -> None:
        self.wrong.append(f"{reference} ({self.fates[reference]}): {what}")

    def _judge(self) -> None:
        figures = self.figures
        if self.wrong or figures.doubled or figures.silently_lost or figures.wrongly_given_up:
            print(table(figures, 0))
            sys.exit("FAILED: " + "; ".join(self.wrong or ["see the table"]))


def table(figures: Figures, seconds: float) -> str:
    lines = [
        ("writes", figures.writes),
        ("fates", ", ".join(f"{name} {number}" for name, number in sorted(figures.fates.items()))),
        (
            "killed: pool child, worker; not found",
            f"{figures.child_kills}, {figures.worker_kills}; {figures.not_killed}",
        ),
        ("at rest", ", ".join(f"{name} {number}" for name, number in sorted(figures.at_rest.items()))),
        ("found by a look", figures.found_by_look_up),
        ("left to a person, sent again", f"{figures.waiting_for_a_person}, {figures.sent_again}"),
        ("done twice", figures.doubled),
        ("taken for done and not", figures.silently_lost),
        ("taken for not done and done", figures.wrongly_given_up),
        ("took", f"{seconds:.0f} s"),
    ]
    return "\n".join(f"{name:38} {value}" for name, value in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--target", choices=TARGETS, default="orders")
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument(
        "--fine", type=int, default=3, help="writes that nothing happens to, for each that meets a fate"
    )
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--lease-seconds", type=int, default=3)
    parser.add_argument("--sweep-seconds", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print the figures as one line of JSON at the end")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    begun = time.monotonic()
    with (
        TemporaryDirectory(prefix="portal-drill-", ignore_cleanup_errors=True) as folder,
        closing(TARGETS[options.target](Path(folder, "line"))) as target,
    ):
        house = House(
            Path(folder, "var"),
            lease_seconds=options.lease_seconds,
            sweep_seconds=options.sweep_seconds,
            hosts=target.hosts,
            app=target.app,
        )
        with running(house):
            figures = Drill(house, target, random.Random(options.seed), options.count, options.fine).go()
            print(table(figures, time.monotonic() - begun))
            if options.json:
                print(json.dumps(vars(figures)))


if __name__ == "__main__":
    main()
