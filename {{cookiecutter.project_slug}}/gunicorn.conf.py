"""The server of production: https://docs.gunicorn.org/en/stable/settings.html"""

import math
import os
from pathlib import Path

from environs import Env

CGROUP = Path("/sys/fs/cgroup")


def processors() -> int:
    """How many processors the container may use, which can be fewer than the machine has."""
    count = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    for files in (["cpu.max"], ["cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us"]):  # control groups version 2, then 1
        try:
            quota, period = " ".join((CGROUP / name).read_text() for name in files).split()
        except OSError:
            continue
        if quota not in {"max", "-1"}:
            count = min(count, math.ceil(int(quota) / int(period)))
    return count


Env().read_env(".env", recurse=False)
# Two at least: when one is killed the other goes on answering. The settings size their pool of connections by it.
workers = int(os.environ.setdefault("WEB_CONCURRENCY", str(max(2, processors()))))
# Milliseconds. Only requests have a limit by default: a migration may take its time.
os.environ.setdefault("STATEMENT_TIMEOUT", "5000")
# The most of a process. A slow client holds one until its request is complete, so there are enough for hundreds of
# them; they start when they are needed, and the pool of connections limits how many ask the database at once.
threads = 200

# The project is loaded once, before the workers are forked: they share its memory, and a wrong setting ends the
# server with its message instead of ending one worker after the other.
preload_app = True

# A worker that has stopped answering is replaced after `timeout`; `graceful_timeout` is what requests get to finish
# when the server is stopped, less than the stop_grace_period of docker-compose.yml.
timeout = 30
graceful_timeout = 8
keepalive = 5

# Workers show that they are alive by touching a file: in memory, because a disk can be slow, or read-only.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108  # its files have random names
control_socket_disable = True

logconfig_dict = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "access": {"()": "core.logs.AccessFormatter"},
        "json": {"()": "core.logs.JSONFormatter"},
    },
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
