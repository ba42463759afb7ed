"""What ends is started again: at once, then later and later, in words, and not for ever. Real processes, real signals."""

from __future__ import annotations

import itertools
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from portal.devserver import supervisor as module
from portal.devserver.children import Child
from portal.devserver.state import Folders, listens
from portal.devserver.stop_signals import StopRequested
from portal.devserver.supervisor import ChildEnded, Supervisor
from portal.devserver.valkey import Valkey

pytestmark = pytest.mark.process

WAITS = ("-c", "import time; time.sleep(60)")


class Watch:
    """In the place of the bell, which belongs to a process of its own: somebody who looks, and asks to stop in the end."""

    def __init__(self) -> None:
        self.stop_requests = 0
        self.look: Callable[[], bool] = lambda: False
        self.until = time.monotonic() + 20

    def wait(self, seconds: float | None = None) -> None:
        time.sleep(min(0.02, 1.0 if seconds is None else seconds))

    def check(self) -> None:
        assert time.monotonic() < self.until, "it never came to that"
        if self.look():
            raise StopRequested

    def pause(self, seconds: float) -> None:
        time.sleep(seconds)
        self.check()


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def supervisor(tmp_path_factory: pytest.TempPathFactory, watch: Watch) -> Iterator[Supervisor]:
    folders = Folders(tmp_path_factory.mktemp("s"))
    folders.make()
    supervisor = Supervisor(folders=folders, cwd=Path.cwd(), stop_signals=watch)  # type: ignore[arg-type]
    yield supervisor
    supervisor.stop()


def test_one_that_dies_is_started_again_at_once_and_the_others_go_on(supervisor, watch, capsys):
    dies, stays = Child("worker-sync", WAITS, {}), Child("web", WAITS, {})
    for child in (dies, stays):
        supervisor.start(child)
    first, other = dies.process.pid, stays.process.pid
    os.kill(first, signal.SIGKILL)
    watch.look = lambda: dies.process.pid != first and not dies.ended
    with pytest.raises(StopRequested):
        supervisor.run()
    assert stays.process.pid == other
    assert not stays.ended
    output = capsys.readouterr().err
    assert output.startswith("up: worker-sync was ended by SIGKILL; it is started again at once. The others go on.")
    assert output.count("\n") < 5


def test_one_that_ends_again_and_again_is_started_later_and_later_and_given_up(
    supervisor, monkeypatch, capsys, tmp_path
):
    monkeypatch.setattr(module, "RESTART_WAITS_SECONDS", (0.0, 0.2, 0.4))
    monkeypatch.setattr(module, "MAX_ENDS_IN_A_ROW", 4)
    starts = tmp_path / "starts"
    line = f"import sys, time; open({str(starts)!r}, 'a').write(f'{{time.time()}}\\n'); sys.exit('no such key')"
    supervisor.start(Child("beat", ("-c", line), {}))
    with pytest.raises(ChildEnded, match=r"beat ended with exit code 1, 5 times in a row; everything stops") as ended:
        supervisor.run()
    assert "no such key" in str(ended.value)
    times = [float(each) for each in starts.read_text().split()]
    _at_once, second, third, fourth = [after - before for before, after in itertools.pairwise(times)]
    assert second >= 0.2
    assert min(third, fourth) >= 0.4
    output = capsys.readouterr().err
    assert output.count("is started again at once") == 1
    assert "beat ended with exit code 1, 3 times in a row; it is started again in 0 s" in output
    assert output.count("no such key") >= 4


def test_after_a_long_run_it_is_the_first_end_again(supervisor, watch, monkeypatch):
    monkeypatch.setattr(module, "STABLE_SECONDS", 0.0)
    monkeypatch.setattr(module, "MAX_ENDS_IN_A_ROW", 2)
    child = Child("web", ("-c", ""), {})
    supervisor.start(child)
    pids = set()
    watch.look = lambda: pids.add(child.process.pid) or len(pids) > 4
    with pytest.raises(StopRequested):
        supervisor.run()


def test_a_server_that_is_killed_comes_back_at_the_same_address(supervisor, watch, capsys):
    valkey = Valkey(supervisor.folders)
    supervisor.servers.append(valkey)
    valkey.start()
    address, first = valkey.address, valkey.process.pid
    valkey.process.kill()
    watch.look = lambda: valkey.process.pid != first and listens(valkey._socket)
    with pytest.raises(StopRequested):
        supervisor.run()
    assert valkey.address == address
    assert "up: valkey was ended by SIGKILL; it is started again at once." in capsys.readouterr().err


def test_nobody_is_given_up_within_ten_minutes():
    waits = [
        module.RESTART_WAITS_SECONDS[min(count, len(module.RESTART_WAITS_SECONDS)) - 1]
        for count in range(1, module.MAX_ENDS_IN_A_ROW + 1)
    ]
    assert waits == sorted(waits)
    assert waits[0] == 0
    assert 600 < sum(waits) < 1800


def test_while_it_starts_an_end_ends_it_all(supervisor, watch):
    supervisor.start(Child("migrate", ("-c", "raise SystemExit(3)"), {}))
    with pytest.raises(ChildEnded, match="migrate ended with exit code 3; everything stops"):
        supervisor.until(lambda: False, seconds=10, what="it")
