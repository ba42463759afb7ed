"""64 callers in 8 processes share one refresh token that works once, while answers are cut and processes are killed.

    python -m tests.drills.rotate_tokens --rounds 1000 --seed 1

Real PostgreSQL, real TLS, real processes, in a temporary folder. In every round the access token has ended (by the
clock, at the provider, or nearly) and everybody calls at once. 10 % of the token endpoint's answers are cut, mostly after
it has rotated; 5 % of the processes are killed with -9 at a random moment. In `--holders` further rounds the process that
asks is killed between the rotation and its commit.

Promised: one token request, and one more only where the one who asked was killed; no grant lost but by a lost answer;
each of those named "reconnect, cause unknown" to every caller after exactly one further request, and none after that.
Ends with 1 where a promise is broken. Waiting is done by setting the database's rows back, never by a shorter limit.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg

from tests.drills.callers import CALL, EXCHANGE_CLAIM, CallerProcess, Nursery, name_of
from tests.drills.house import House
from tests.drills.rotating_figures import Figures, table
from tests.drills.rotating_provider import Asked, Cut, RotatingProvider

PROCESSES = 8
CUT, KILLED = 0.10, 0.05
GOOD, CUT_OFF, ONCE, LOST = "200", "no-answer", "renewal-refused-once", "access-lost"
ON_ITS_WAY = 0.3  # seconds in which what a process sent before it died is heard
PATIENCE = 90.0  # seconds a process may take for its eight calls


class Drill:
    """One connection, its provider, and eight processes that call."""

    def __init__(self, house: House, folder: Path, chance: random.Random) -> None:
        self.house, self.chance, self.figures = house, chance, Figures()
        self.provider = RotatingProvider(folder)
        self.provider.plan = self._plan
        self.cuts, self.dice = True, threading.Lock()
        self.release = threading.Event()

    def go(self, rounds: int, holders: int) -> None:
        self._set_up()
        self.callers = [self.nursery.caller() for _ in range(PROCESSES)]
        try:
            self._reconnect()
            order = [self._round] * rounds + [self._kill_the_holder] * holders
            self.chance.shuffle(order)
            for number, each in enumerate(order, 1):
                each()
                if number % 50 == 0:
                    print(f"  round {number}: {len(self.figures.broken)} promises broken", flush=True)
        finally:
            for caller in self.callers:
                caller.end()
            self.admin.close()

    # -- the house -------------------------------------------------------------------------------------------------

    def _set_up(self) -> None:
        """PostgreSQL, keys, our registration and one connection; this process acts as the tables' owner."""
        house = self.house
        house.start_servers()
        address = self.provider.server.address
        hosts = {"smartbusiness": {"api": address, "ca": self.provider.server.ca}}
        house.plan = replace(house.plan, sandbox_hosts=json.dumps(hosts))
        house.set_up_django(**house.plan.kek)
        self.admin = psycopg.connect(house.postgres.admin_address("portal"), autocommit=True)
        from connections.jobs.models import Job
        from connections.jobs.services import claim, succeed
        from connections.tenancy.scope import SYSTEM, tenant_scope
        from connections.vault import keys, services
        from connections.vault.secret import Secret

        keys.make_system_key()
        tenant = services.create_tenant(name="Aamu Oy", slug="aamu")
        lease = claim(Job.objects.get(subject=tenant.id).id)
        assert lease is not None
        keys.make_tenant_key(lease)
        succeed(lease)
        client = self.provider.client
        services.register_client(
            provider="smartbusiness",
            environment="sandbox",
            client_id=client["client_id"],
            client_secret=Secret(client["client_secret"]),
        )
        tenant.refresh_from_db()
        with tenant_scope(tenant.id):
            self.connection = services.open_connection(
                tenant=tenant, provider="smartbusiness", environment="sandbox", actor=SYSTEM
            )
        self.nursery = Nursery(house.plan.worker("sync").environment, tenant.id, self.connection.id)

    @property
    def grant(self) -> Any:
        from connections.vault.models import Grant

        return Grant.objects.filter(connection_id=self.connection.id)

    def _time_passes(self) -> None:
        """As long as a failure is shared, and no longer: the next call asks again."""
        from django.db.models import F

        earlier = {name: F(name) - timedelta(hours=1) for name in ("refused_at", "refresh_refused_at")}
        self.grant.update(**earlier, ask_after=None, wait_until=None)

    def _age(self, left_s: float) -> None:
        """The access token, of twelve hours, ends in `left_s` seconds."""
        from django.utils import timezone

        ends = timezone.now() + timedelta(seconds=left_s)
        self.grant.update(issued_at=ends - timedelta(hours=12), expires_at=ends)

    def _reconnect(self) -> None:
        """A person consents anew."""
        self.callers[0].tell(EXCHANGE_CLAIM, self.provider.new_code())
        self.figures.reconnects += 1
        if self.callers[0].heard(PATIENCE) != [GOOD]:
            self._break("a person connected anew, and it failed")
        self.figures.token_requests += len(self.provider.take_asked())

    # -- what goes wrong -------------------------------------------------------------------------------------------

    def _plan(self) -> tuple[float, Cut]:
        """Of one answer: how slow it is, and whether it is cut."""
        with self.dice:
            pause = self.chance.choice([0.0, 0.02, 0.1, 0.1, 0.3])
            if self.cuts and not self.figures.cuts_after:
                return pause, Cut.AFTER  # the shortest drill meets one
            if not self.cuts or self.chance.random() >= CUT:
                return pause, Cut.NO
            return pause, self.chance.choice([Cut.BEFORE, Cut.AFTER, Cut.AFTER, Cut.HALFWAY])

    def _kill(self, caller: CallerProcess, deaths: int = 0) -> bool:
        """Whether it died while a token request of its own was at the provider, as `deaths` did before it.

        Its claim is then as old as a claim may get.
        """
        from django.db.models.functions import Now

        caller.kill()
        self.release.set()
        self.figures.kills += 1
        self._bury(caller)
        its_own = self.grant.filter(claimed_by__startswith=f"{caller.pid}-")
        if not its_own.exists():
            return False
        time.sleep(ON_ITS_WAY)
        self.provider.rest()
        # Nobody else asks while a claim is held, so a request beyond those of the dead was its own.
        had_asked = self.provider.asked_so_far > deaths
        self.figures.holders_killed += had_asked
        its_own.update(claimed_until=Now() - timedelta(seconds=1))
        return had_asked

    def _bury(self, caller: CallerProcess) -> None:
        """Returns when nothing that it had sent is under way any more: a claim outlives that by far."""
        while self.admin.execute(
            "SELECT FROM pg_stat_activity WHERE application_name = %s", [name_of(caller.pid)]
        ).fetchone():
            time.sleep(0.005)
        self.provider.rest()

    def _break(self, promise: str) -> None:
        self.figures.broken.append(f"round {self.figures.rounds}: {promise}")
        print(f"  BROKEN in {self.figures.broken[-1]}", flush=True)

    # -- a round ---------------------------------------------------------------------------------------------------

    def _round(self) -> None:
        self.figures.rounds += 1
        how = self.chance.choice(["ended by the clock", "ended at the provider", "nearly ended"])
        self._age({"ended by the clock": -3600.0, "nearly ended": 120.0}.get(how, 36000.0))
        if how == "ended at the provider":
            self.provider.end_sessions()
        victims = [caller for caller in self.callers if self.chance.random() < KILLED]
        moments = sorted((self.chance.uniform(0.0, 0.5), number) for number in range(len(victims)))
        asked, said, deaths = self._all_call(lambda: self._kill_at(moments, victims))
        self._judge(asked, said, deaths, spare_is_used=how == "nearly ended")

    def _kill_at(self, moments: list[tuple[float, int]], victims: list[CallerProcess]) -> int:
        begun = time.monotonic()
        deaths = 0
        for moment, number in moments:
            time.sleep(max(moment - (time.monotonic() - begun), 0.0))
            deaths += self._kill(victims[number], deaths)
        return deaths

    def _all_call(self, meanwhile: Callable[[], int] = lambda: 0) -> tuple[list[Asked], list[str], int]:
        """Everybody calls at the same moment: the token requests, what those who lived got, and how many died while theirs
        was at the provider."""
        for caller in self.callers:
            caller.tell(CALL)
        deaths = meanwhile()
        said: list[str] = []
        for number, caller in enumerate(self.callers):
            heard = caller.heard(PATIENCE)
            if heard is None and not caller.is_killed:
                self._break(f"caller {caller.pid} died by itself")
            said += heard or []  # it may have been killed after it had answered
            if heard is None or caller.is_killed:
                caller.end()
                self.callers[number] = self.nursery.caller()
        asked = self.provider.take_asked()
        figures = self.figures
        figures.calls += len(said)
        figures.answers.update(said)
        figures.token_requests += len(asked)
        figures.refreshes += len(asked)
        figures.cuts_before += sum(each.cut is Cut.BEFORE for each in asked)
        figures.cuts_after += sum(each.cut.is_lost for each in asked)
        return asked, said, deaths

    def _judge(self, asked: list[Asked], said: list[str], deaths: int, *, spare_is_used: bool) -> None:
        new = {each.given for each in asked if each.cut is Cut.NO}
        extra = max(len(asked) - 1 - deaths, sum(each.used in new for each in asked))
        if extra:
            self.figures.extra_requests += extra
            self._break(f"{len(asked)} token requests, {deaths} died asking: {asked}")
        if not asked:
            if said:
                self._break("nobody asked for a token")
            return
        last = asked[-1]
        # A refusal that was cut may have been heard all the same.
        is_heard = not last.is_granted and ONCE in said
        if last.cut is not Cut.NO and not is_heard:
            self._expect(asked, said, *_told_after_a_cut(asked, spare_is_used=spare_is_used))
            self._after_a_cut(asked, deaths)
        elif last.is_granted:
            self._expect(asked, said, GOOD)
        else:
            self._lost(said, asked[:-1], deaths)

    def _after_a_cut(self, before: list[Asked], deaths: int) -> None:
        """Exactly one further request tells what became of the grant."""
        self._time_passes()
        self._age(-3600.0)
        self.cuts = False
        asked, said, _none = self._all_call()
        self.cuts = True
        if len(asked) != 1:
            self.figures.extra_requests += max(len(asked) - 1, 0)
            self._break(f"{len(asked)} token requests after a cut answer")
        if asked and asked[-1].is_granted:
            self._expect(asked, said, GOOD)
        else:
            self._lost(said, before, deaths)

    def _expect(self, asked: list[Asked], said: list[str], *wanted: str) -> None:
        wrong = [word for word in said if word not in wanted]
        if wrong:
            self.figures.wrong_words += len(wrong)
            self._break(f"{len(wrong)} callers were told {set(wrong)} instead of {wanted}, after {asked}")

    def _lost(self, said: list[str], before: list[Asked], deaths: int) -> None:
        """The grant is gone: everybody is told so, nobody asks again, and a person connects anew."""
        if any(each.cut.is_lost and each.is_granted for each in before):
            self.figures.lost_by_cut += 1
        elif deaths and any(each.is_granted for each in before):
            self.figures.lost_by_kill += 1
        else:
            self.figures.lost_otherwise += 1
            self._break(f"a grant was lost without a lost answer, after {before}")
        said = self._refused_again(said)
        for _ in range(2):
            untold = [word for word in said if word != LOST]
            if untold:
                self.figures.not_told += len(untold)
                self._break(f"{len(untold)} callers were told {set(untold)} of a lost grant")
            self._time_passes()
            asked, said, _none = self._all_call()
            if asked:
                self.figures.asked_after_loss += len(asked)
                self._break(f"{len(asked)} token requests after the grant was lost")
        self._reconnect()

    def _refused_again(self, said: list[str]) -> list[str]:
        """One refusal may be a slip: nobody is told of a loss before the same token was refused once more."""
        early = [word for word in said if word not in (ONCE, GOOD)]
        if early:
            self.figures.wrong_words += len(early)
            self._break(f"{len(early)} callers were told {set(early)} after the first refusal")
        self._time_passes()
        self._age(-3600.0)
        self.cuts = False
        asked, said, _none = self._all_call()
        self.cuts = True
        if len(asked) != 1 or asked[0].is_granted:
            self._break(f"a refused token was asked with {len(asked)} times more")
        return said

    # -- killed between the rotation and the commit ----------------------------------------------------------------

    def _kill_the_holder(self) -> None:
        self.figures.rounds += 1
        self.figures.killed_before_commit += 1
        rotated = threading.Event()
        self.release.clear()

        def hold() -> None:
            rotated.set()
            self.release.wait(PATIENCE)

        def kill() -> int:
            assert rotated.wait(PATIENCE), "nobody asked"
            pid = int(self.grant.get().claimed_by.partition("-")[0])
            return self._kill(next(caller for caller in self.callers if caller.pid == pid))

        self._age(-3600.0)
        self.cuts, self.provider.on_rotated = False, hold
        asked, said, deaths = self._all_call(kill)
        self.cuts, self.provider.on_rotated = True, lambda: None
        granted = [each.is_granted for each in asked]
        if granted == [True, False] and deaths == 1 and set(said) == {ONCE}:
            self.figures.loud += 1
        else:
            self._break(f"killed before the commit: granted {granted}, said {set(said)}")
        self._lost(said, asked[:-1], deaths)


def _told_after_a_cut(asked: list[Asked], *, spare_is_used: bool) -> tuple[str, ...]:
    """A token with minutes left is used on, unless the request that was cut had a spent refresh token (that of somebody
    who died asking): the provider has withdrawn everything then, and only those who were quicker had an answer."""
    if not spare_is_used:
        return (CUT_OFF,)
    is_withdrawn = any(each.cut.is_lost and not each.is_granted for each in asked)
    return (GOOD, CUT_OFF) if is_withdrawn else (GOOD,)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument(
        "--holders", type=int, default=200, help="rounds in which who asks is killed before its commit"
    )
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--json", action="store_true", help="print the figures as one line of JSON at the end")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    folder = Path(tempfile.mkdtemp(prefix="portal-drill-"))
    house = House(folder / "var")
    begun = time.monotonic()
    print(f"seed {options.seed}", flush=True)
    drill = Drill(house, folder, random.Random(options.seed))
    try:
        drill.go(options.rounds, options.holders)
    finally:
        house.stop()
        shutil.rmtree(folder, ignore_errors=True)
        print(table(drill.figures, time.monotonic() - begun), flush=True)
    if options.json:
        print(json.dumps(vars(drill.figures)))
    sys.exit(1 if drill.figures.broken else 0)


if __name__ == "__main__":
    main()
