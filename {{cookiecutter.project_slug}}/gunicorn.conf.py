"""Settings of the production server: https://gunicorn.org/reference/settings/

Run it behind a proxy that buffers requests, such as the one in docker-compose.yml.
"""

import gc
import os

from environs import Env

env = Env()
env.read_env(".env", recurse=False)
# If one of two processes is killed, the other keeps responding. The number also sets the size of the connection pool.
workers = os.environ["WEB_CONCURRENCY"] = env.str("WEB_CONCURRENCY", "2")
# Per process. The pool has at most four connections; other threads wait without delaying the health probes.
threads = 64
# Milliseconds. The default limits requests only: a migration may take longer.
os.environ["STATEMENT_TIMEOUT"] = env.str("STATEMENT_TIMEOUT", "5000")
# Seconds for requests in flight when the server stops, less than `stop_grace_period` in docker-compose.yml.
graceful_timeout = 8
# Seconds, longer than the proxy keeps an idle connection.
keepalive = 5
# Bytes. A cursor in the URL can be long.
limit_request_line = 8190
# No header changes the scheme or the path. TRUSTED_PROXIES decides which headers Django reads.
forwarded_allow_ips = forwarder_headers = ""
# Load the project once: a wrong setting is one message, and the processes share memory.
preload_app = True
control_socket_disable = True
accesslog = "-"
handlers = {
    "access": {"class": "logging.StreamHandler", "formatter": "access", "stream": "ext://sys.stdout"},
    "error": {"class": "logging.StreamHandler", "formatter": "json"},
}
logconfig_dict = {
    "formatters": {"access": {"()": "core.logs.AccessFormatter"}, "json": {"()": "core.logs.JSONFormatter"}},
    "handlers": handlers,
    "root": {"handlers": []},
    "loggers": {f"gunicorn.{name}": {"handlers": [name], "level": "INFO", "propagate": False} for name in handlers},
}


def pre_fork(server: object, worker: object) -> None:
    # Without it, garbage collections write to the objects of the parent process, and workers share less memory.
    gc.freeze()
