"""What can become of a broker: another takes over and hands back, it loads its data, unblocks, dies, or stands still.

Each trouble is a context: inside it the broker is in that state (or has just been), after it the broker serves again.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import unquote, urlsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from portal.devserver.valkey import Valkey

LOADED_KEYS, LOAD_DELAY_US = 1500, 1000  # a second and a half of LOADING


def client(broker: Valkey) -> redis.Redis:
    # Without retries: what the server says is what we want to see.
    return redis.Redis(unix_socket_path=unquote(urlsplit(broker.address).path), retry=Retry(NoBackoff(), 0))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _primary(program: Path) -> Iterator[tuple[int, redis.Redis]]:
    """A second server that knows nothing of our queues, at a port of loopback."""
    port = _free_port()
    with TemporaryDirectory(prefix="portal-primary-") as folder:
        command = [str(program), "--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--save", ""]
        command += ["--enable-debug-command", "yes", "--repl-diskless-sync-delay", "0"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            link = redis.Redis(host="127.0.0.1", port=port)
            _await(link.ping)
            yield port, link
        finally:
            process.kill()
            process.wait()


def _await(reached: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while True:
        with suppress(redis.RedisError):
            if reached():
                return
        assert time.monotonic() < deadline, "the broker never came to it"
        time.sleep(0.02)


@contextmanager
def replaced(broker: Valkey) -> Iterator[None]:
    """REPLICAOF another and back: blocked readers hear UNBLOCKED, everybody LOADING, then READONLY."""
    link = client(broker)
    with _primary(broker.program) as (port, primary):
        primary.execute_command("DEBUG", "POPULATE", LOADED_KEYS)
        link.config_set("loading-process-events-interval-bytes", 1024)
        link.config_set("key-load-delay", LOAD_DELAY_US)
        link.replicaof("127.0.0.1", port)
        try:
            _await(lambda: _is_loading(link))
            _await(lambda: link.info("replication")["master_link_status"] == "up")
            with suppress(redis.ReadOnlyError):
                link.set("written", "by nobody")
                raise AssertionError
            yield
        finally:
            link.config_set("key-load-delay", 0)
            link.replicaof("NO", "ONE")


def _is_loading(link: redis.Redis) -> bool:
    try:
        link.ping()
    except redis.BusyLoadingError:
        return True
    return False


@contextmanager
def unblocked(broker: Valkey) -> Iterator[None]:
    """CLIENT UNBLOCK with an error, for everybody who waits."""
    link = client(broker)
    waiting = [each["id"] for each in link.client_list() if each["cmd"] == "brpop"]
    assert waiting, "nobody waits at the broker"
    for each in waiting:
        link.client_unblock(int(each), error=True)
    yield


@contextmanager
def loading(broker: Valkey) -> Iterator[None]:
    """Killed, and started again with so much to load that it says LOADING for a while."""
    link = client(broker)
    pipe = link.pipeline()
    for number in range(LOADED_KEYS):
        pipe.set(f"filling:{number}", "x" * 64)
    pipe.execute()
    link.bgrewriteaof()  # what stands in the file as single commands is loaded without the delay
    _await(lambda: not link.info("persistence")["aof_rewrite_in_progress"])
    _kill(broker)
    broker.start_with({"key-load-delay": str(LOAD_DELAY_US), "loading-process-events-interval-bytes": "1024"})
    assert _is_loading(client(broker))
    yield
    _await(client(broker).ping)


@contextmanager
def killed(broker: Valkey) -> Iterator[None]:
    _kill(broker)
    yield
    broker.start()


@contextmanager
def frozen(broker: Valkey) -> Iterator[None]:
    """SIGSTOP for a while: connections stand, nobody answers."""
    assert broker.process is not None
    os.kill(broker.process.pid, signal.SIGSTOP)
    try:
        yield
        time.sleep(3)
    finally:
        os.kill(broker.process.pid, signal.SIGCONT)


def _kill(broker: Valkey) -> None:
    assert broker.process is not None
    broker.process.kill()
    broker.process.wait()


TROUBLES: Mapping[str, Callable[[Valkey], AbstractContextManager[None]]] = {
    each.__name__: each for each in (replaced, unblocked, loading, killed, frozen)
}
