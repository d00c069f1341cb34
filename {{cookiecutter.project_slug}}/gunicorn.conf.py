"""The server of production: https://docs.gunicorn.org/en/stable/settings.html"""

import contextlib
import math
import os
import signal
import socket
import time
from pathlib import Path
from typing import Any

from environs import Env
from gunicorn.util import close_graceful  # type: ignore[import-untyped]  # gunicorn has no types
from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]  # gunicorn has no types

CGROUP = Path("/sys/fs/cgroup")
STOP = {signal.SIGTERM, signal.SIGQUIT}

# The other half of what `Worker` does around a fork: the main process takes these signals again.
os.register_at_fork(after_in_parent=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP))


def processors() -> int:
    """How many processors the container may use, which can be fewer than the machine has."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for files in (["cpu.max"], ["cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us"]):  # control groups version 2, then 1
        try:
            quota, period = " ".join((CGROUP / name).read_text() for name in files).split()
        except OSError:
            continue
        if quota not in {"max", "-1"}:
            count = min(count, math.ceil(int(quota) / int(period)))
    return count


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's threads, with an end for requests that take longer than `timeout`, from their first bytes on.

    gunicorn itself only looks whether a process is alive: a client could send a byte a minute for ever.
    And a process that stops refuses connections at once, where gunicorn's lets them wait and then breaks them.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.started: dict[Any, float] = {}
        # gunicorn forks now, and would lose a signal that comes before the new process can take it.
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP)

    def init_signals(self) -> None:
        super().init_signals()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP)

    def handle(self, conn: Any) -> Any:
        self.started[conn] = time.monotonic()
        try:
            goes_on = super().handle(conn)
            if goes_on is False:
                # gunicorn waits for the client to close, too, but where it accepts the others: two seconds for each.
                with contextlib.suppress(OSError):
                    close_graceful(conn.sock.dup())
                    conn.sock.shutdown(socket.SHUT_RDWR)
            return goes_on
        finally:
            self.started.pop(conn, None)

    def set_accept_enabled(self, enabled: bool) -> None:
        """What gunicorn calls when a process has too many connections, or begins to stop."""
        super().set_accept_enabled(enabled)
        while self.sockets and not enabled and not self.alive:
            listener, waiting = self.sockets.pop(), -1
            # The system has taken some for us already; a proxy brings the next ones to another server.
            while waiting != self.nr_conns:
                waiting = self.nr_conns
                self.accept(listener)
            listener.close()

    def notify(self) -> None:
        """What gunicorn calls every second, outside of the threads."""
        super().notify()
        for conn, started in list(self.started.items()):
            if 0 < self.cfg.timeout < time.monotonic() - started:
                self.started.pop(conn, None)
                self.log.warning("A request took longer than %s s and was ended.", self.cfg.timeout)
                # A thread that waits for the client goes on at once; one that computes cannot send its answer.
                with contextlib.suppress(OSError):
                    conn.sock.shutdown(socket.SHUT_RDWR)


Env().read_env(".env", recurse=False)
# Two at least: when one is killed the other goes on answering. The settings size their pool of connections by it.
workers = int(os.environ.setdefault("WEB_CONCURRENCY", str(max(2, processors()))))
# Milliseconds. Only requests have a limit by default: a migration may take its time.
os.environ.setdefault("STATEMENT_TIMEOUT", "5000")
worker_class = Worker
# The most of a process. A slow client holds one until its request is complete: there are enough for hundreds, even
# if one process accepts most of them. They start when they are needed, and the pool limits how many ask the database.
# All together they stay below the `pids` of docker-compose.yml.
threads = min(400, 900 // max(1, workers))
# Bytes: the address of a page may hold a long text that it starts after.
limit_request_line = 8190

# No header changes what the project takes for its address or for HTTPS, but as TRUSTED_PROXIES says.
forwarded_allow_ips = forwarder_headers = ""

# The project is loaded once, before the workers are forked: they share its memory, and a wrong setting ends the
# server with its message instead of ending one worker after the other.
preload_app = True

# A request is ended, and a worker that has stopped answering replaced, after `timeout`; `graceful_timeout` is what
# requests get to finish when the server is stopped, less than the stop_grace_period of docker-compose.yml.
timeout = 30
graceful_timeout = 8
keepalive = 5

# Workers show that they are alive by touching a file: in memory, because a disk can be slow, or read-only.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108  # its files have random names
control_socket_disable = True

logconfig_dict = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"access": {"()": "core.logs.AccessFormatter"}, "json": {"()": "core.logs.JSONFormatter"}},
    "handlers": {
        "access": {"class": "logging.StreamHandler", "formatter": "access", "stream": "ext://sys.stdout"},
        "error": {"class": "logging.StreamHandler", "formatter": "json"},
    },
    "root": {"handlers": []},
    "loggers": {
        "gunicorn.access": {"handlers": ["access"], "level": "INFO", "propagate": False},
        "gunicorn.error": {"handlers": ["error"], "level": "INFO", "propagate": False},
    },
}
accesslog = "-"
