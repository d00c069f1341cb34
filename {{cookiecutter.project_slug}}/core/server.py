"""The server of production: `python -m core.server [--host ADDRESS]` serves the project on port WEB_PORT."""

import argparse
import logging
import math
import os
from pathlib import Path

from django.conf import settings
from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels

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


def main() -> None:
    """Serve until SIGTERM or SIGINT, then let requests finish."""
    parser = argparse.ArgumentParser(prog="python -m core.server", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on, 127.0.0.1 by default")
    host = parser.parse_args().host
    # Read here first: a wrong setting ends the server with its one line, instead of one worker after the other.
    application = ":".join(settings.WSGI_APPLICATION.rsplit(".", 1))
    # Two at least: when one is killed the other goes on answering.
    workers = settings.WEB_CONCURRENCY or max(2, processors())
    server = Granian(
        application,
        address=host,
        port=settings.WEB_PORT,
        interface=Interfaces.WSGI,
        websockets=False,
        workers=workers,
        respawn_failed_workers=True,
        # Less than the stop_grace_period of docker-compose.yml.
        workers_kill_timeout=8,
        http=HTTPModes.http1,
        # Milliseconds for the headers of a request, and bytes.
        http1_settings=HTTP1Settings(header_read_timeout=10_000, max_buffer_size=64 * 1024),
        log_level=LogLevels.error,
        log_access=True,
        log_dictconfig=settings.LOGGING,
    )
    logging.getLogger("core.server").info("Serving on http://%s:%s with %s processes", host, settings.WEB_PORT, workers)
    server.serve()


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "django_project.settings")
    main()
