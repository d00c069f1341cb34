"""The log: one JSON object a line, with the id of the request."""

import contextvars
import json
import logging
import sys

import pytest

from core.logs import AccessFormatter, JSONFormatter, RequestIDFilter, request_id


def record(message="Hello %s", arguments=("you",), **values):
    return logging.LogRecord("a.logger", logging.ERROR, __file__, 1, message, arguments, values.get("exc_info"))


def test_a_line_has_time_level_logger_message_and_request():
    line = record()
    token = request_id.set("r" * 32)
    try:
        assert RequestIDFilter().filter(line)
    finally:
        request_id.reset(token)
    written = json.loads(JSONFormatter().format(line))
    assert written.pop("time").endswith("+00:00")
    assert written == {"level": "ERROR", "logger": "a.logger", "message": "Hello you", "request_id": "r" * 32}


def test_a_line_outside_of_a_request_has_no_id():
    line = record()
    # A new context, without the id of another test's request.
    assert contextvars.Context().run(RequestIDFilter().filter, line)
    assert json.loads(JSONFormatter().format(line))["request_id"] == "-"


def test_a_traceback_is_part_of_its_line():
    try:
        raise ZeroDivisionError("by\nzero")
    except ZeroDivisionError:
        line = JSONFormatter().format(record(exc_info=sys.exc_info()))
    assert "\n" not in line
    assert "ZeroDivisionError: by\nzero" in json.loads(line)["exception"]


@pytest.mark.parametrize("text", ["line\nbreak", 'quote"', "ümläut", "\x00\x1b[31m"])
def test_no_message_can_forge_a_line(text):
    line = JSONFormatter().format(record(text, ()))
    assert line.isprintable()
    assert json.loads(line)["message"] == text


def test_a_line_of_the_access_log_has_the_facts_of_request_and_response():
    facts = {"h": "10.0.0.1", "m": "GET", "U": "/a b", "s": "200", "B": 12, "M": 3, "{x-request-id}o": "r" * 32}
    line = json.loads(AccessFormatter().format(record("%(h)s", (facts,))))
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "logger": "a.logger",
        "address": "10.0.0.1",
        "method": "GET",
        "path": "/a b",
        "status": 200,
        "bytes": 12,
        "milliseconds": 3,
        "request_id": "r" * 32,
    }


def test_a_line_of_the_access_log_without_facts_is_written_too():
    assert json.loads(AccessFormatter().format(record("text", ())))["status"] == 0
