"""Logging: every line has the id of its request; in production each line is a JSON object, for log collectors."""

import json
import logging
from contextvars import ContextVar
from datetime import UTC, datetime

# The id of the current request.
request_id: ContextVar[str] = ContextVar("request_id", default="-")


class RequestIDFilter(logging.Filter):
    """Give a log record the attribute `request_id`: the id of the request, `-` outside of one."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = request_id.get()
        return True


class JSONFormatter(logging.Formatter):
    """Format a record that `RequestIDFilter` has passed."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": getattr(record, "request_id", "-"),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


class AccessFormatter(logging.Formatter):
    """Format a record of gunicorn's access log.

    Its arguments are named as in https://gunicorn.org/reference/settings/#access_log_format
    """

    def format(self, record: logging.LogRecord) -> str:
        facts = record.args if isinstance(record.args, dict) else {}
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "logger": record.name,
            "address": facts.get("{client_address}e", facts.get("h")),
            "method": facts.get("m"),
            "path": facts.get("U"),
            "status": int(facts.get("s", 0)),
            "bytes": facts.get("B"),
            "milliseconds": facts.get("M"),
            "request_id": facts.get("{x-request-id}o", "-"),
        }
        return json.dumps(line)
