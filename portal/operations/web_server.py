"""The web process's server: waitress, set so that a slow or silent client holds a socket and never a thread.

One thread reads requests and sends answers for all connections; a worker thread is given a request only when it is there
whole, and hands its answer back whole. Each health address has a thread of its own, so that it is answered while all
workers are busy.
"""

from __future__ import annotations

import resource
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.server import TcpWSGIServer, create_server
from waitress.task import ThreadedTaskDispatcher

from portal.operations import health

THREADS = 8
CONNECTIONS = 1000
FILES_PER_CONNECTION = 3  # its socket, and what is put aside of a long request and a long answer
RECEIVE_SECONDS = 30  # for one request, from its first byte (of a new connection: from its start) to its last
IDLE_SECONDS = 130  # longer than the common proxies keep an unused connection, so that they close it first
LOOP_SECONDS = 1
# An answer of which nobody takes a byte for so long, or that is not over by then, ends: one that is larger than what is held
# here for its client holds a thread as well, and those are downloads.
STALLED_SECONDS = 60
ANSWER_SECONDS = 30 * 60
GRACE_SECONDS = 4  # for what is being answered when we are asked to stop; `up` kills after six

SETTINGS: dict[str, Any] = {
    "threads": THREADS,
    "connection_limit": CONNECTIONS,
    "channel_timeout": IDLE_SECONDS,
    "cleanup_interval": 10,
    "asyncore_use_poll": True,  # select() ends at file number 1024
    "asyncore_loop_timeout": LOOP_SECONDS,
    "backlog": 1024,
    "max_request_header_size": 32 * 1024,
    "max_request_body_size": 3 * 1024 * 1024,  # Django takes 2.5 MB and says so in words
    "inbuf_overflow": 64 * 1024,
    # How much of a download waits here for its client, and all of it in memory: what was sealed is on no disk in clear.
    "outbuf_high_watermark": 2 * 1024 * 1024,
    "outbuf_overflow": 4 * 1024 * 1024,
    "ident": None,
    "log_socket_errors": False,
    "expose_tracebacks": False,
}


class Channel(HTTPChannel):
    """One connection, which knows since when it has been sending the request that is not there yet."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.sending_since: float | None = self.creation_time
        self.answering_since = self.creation_time

    def received(self, data: bytes) -> bool:
        if self.sending_since is None:
            self.sending_since = time.time()
        is_complete: bool = super().received(data)
        if self.request is None:  # whole: the next one begins with its first byte
            self.sending_since = None
            self.answering_since = time.time()
        return is_complete

    def is_late(self, now: float) -> bool:
        return self.sending_since is not None and not self.requests and now - self.sending_since > RECEIVE_SECONDS

    def is_stalled(self, now: float) -> bool:
        is_waiting = bool(self.requests) and self.total_outbufs_len > 0
        return is_waiting and (
            now - max(self.last_activity, self.answering_since) > STALLED_SECONDS
            or now - self.answering_since > ANSWER_SECONDS
        )


class Workers(ThreadedTaskDispatcher):
    """Worker threads, and one more for each health address."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.probes = {path: ThreadedTaskDispatcher() for path in health.ADDRESSES}
        for probe in self.probes.values():
            probe.set_thread_count(1)
        self.set_thread_count(count)

    def add_task(self, task: HTTPChannel) -> None:
        probe = self.probes.get(task.requests[0].path)
        if probe is None:
            super().add_task(task)
        else:
            probe.add_task(task)

    def shutdown(self, cancel_pending: bool = True, timeout: float = 5) -> bool:
        for probe in self.probes.values():
            probe.shutdown(cancel_pending, timeout)
        return bool(super().shutdown(cancel_pending, timeout))


class Server:
    """Listens from its making on; `run` serves until `stop` is called, from a signal's handler or another thread."""

    def __init__(
        self, application: Callable[..., Any], *, host: str, port: int, proxies: int, threads: int = THREADS
    ) -> None:
        """`proxies` in front of us: where there are none, nobody may speak of forwarding. Raises OSError."""
        self._map: dict[int, wasyncore.dispatcher] = {}
        self._workers = Workers(threads)
        self._stopping = threading.Event()
        settings = {
            **SETTINGS,
            "threads": threads,
            "connection_limit": _connections_allowed(CONNECTIONS),
            "clear_untrusted_proxy_headers": proxies <= 0,
        }
        self._listener: TcpWSGIServer = create_server(
            application, map=self._map, _dispatcher=self._workers, host=host, port=port, **settings
        )
        self._listener.channel_class = Channel
        self.port = int(self._listener.effective_port)

    def run(self) -> None:
        while not self._stopping.is_set():
            self._turn(LOOP_SECONDS)
        wasyncore.dispatcher.close(
            self._listener
        )  # nobody new; the listener's own close() would take what wakes us, too
        deadline = time.monotonic() + GRACE_SECONDS
        while time.monotonic() < deadline and any(map(_is_busy, self._channels())):
            self._turn(0.1)
        self._workers.shutdown(timeout=1)  # before what wakes us is closed: its file number may be another's by then
        wasyncore.close_all(self._map)

    def stop(self, *_: int | FrameType | None) -> None:
        self._stopping.set()
        self._listener.pull_trigger()

    def stop_at(self, *signals: signal.Signals) -> None:
        for each in signals:
            signal.signal(each, self.stop)

    def _turn(self, seconds: float) -> None:
        wasyncore.loop(timeout=seconds, use_poll=True, map=self._map, count=1)
        now = time.time()
        for channel in self._channels():
            if channel.is_late(now):
                channel.will_close = True
            elif channel.is_stalled(now):
                channel.handle_close()  # its thread is told, and nothing waits for the client any more

    def _channels(self) -> list[Channel]:
        return list(self._listener.active_channels.values())


def _is_busy(channel: Channel) -> bool:
    return bool(channel.requests or channel.total_outbufs_len)


def _connections_allowed(connections: int) -> int:
    """As many as this process may have files for, once it has asked for what they need."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = connections * FILES_PER_CONNECTION + 256
    if soft < files:
        soft = files if hard == resource.RLIM_INFINITY else min(files, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return min(connections, max((soft - 256) // FILES_PER_CONNECTION, 16))
