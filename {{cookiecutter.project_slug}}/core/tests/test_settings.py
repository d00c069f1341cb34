"""Settings come from the environment, and .env.example and README.md list all of them."""

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
from environs import Env

ROOT = Path(__file__).parents[2]
KEY = {"SECRET_KEY": "k" * 50}


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def load(environment: dict[str, str]) -> Any:
    """Run the settings without .env and with no other variables than these; return what they define."""
    with patch.dict(os.environ, environment, clear=True), patch.object(Env, "read_env"):
        return SimpleNamespace(**runpy.run_path(str(ROOT / "django_project" / "settings.py")))


def mailer(settings: Any) -> tuple[Any, ...]:
    """Return the backend for mail and its options, which have other names before Django 6.1."""
    names = ("HOST", "PORT", "HOST_USER", "HOST_PASSWORD", "USE_TLS", "USE_SSL", "TIMEOUT")
    if hasattr(settings, "MAILERS"):
        backend, options = settings.MAILERS["default"].values()
    else:
        backend = settings.EMAIL_BACKEND
        options = {name: getattr(settings, f"EMAIL_{name}") for name in names}
    if backend == "django.core.mail.backends.console.EmailBackend":
        return ("console",)
    *values, timeout = options.values()
    assert backend == "django.core.mail.backends.smtp.EmailBackend"
    assert timeout == 10
    return ("smtp", *values)


@pytest.mark.parametrize(
    ("environment", "setting", "expected"),
    [
        ({}, lambda s: s.DEBUG, False),
        ({"DEBUG": "true"}, lambda s: s.DEBUG, True),
        ({}, lambda s: s.ALLOWED_HOSTS, ["localhost", "127.0.0.1", "[::1]"]),
        ({"ALLOWED_HOSTS": "a.example, .b.example"}, lambda s: s.ALLOWED_HOSTS, ["a.example", ".b.example"]),
        ({}, lambda s: s.DATABASES["default"]["NAME"], ROOT / "db.sqlite3"),
        ({}, lambda s: s.DATABASES["default"]["OPTIONS"]["transaction_mode"], "IMMEDIATE"),
        ({"DATABASE_URL": "sqlite://:memory:"}, lambda s: s.DATABASES["default"]["NAME"], ":memory:"),
        ({"DATABASE_URL": "postgres://u:p%40@db:5432/d"}, lambda s: s.DATABASES["default"]["PASSWORD"], "p@"),
        ({"DATABASE_URL": "postgres://u:p@db/d"}, lambda s: s.DATABASES["default"]["CONN_HEALTH_CHECKS"], True),
        (
            {"DATABASE_URL": "postgres://u:p@db/d", "WEB_CONCURRENCY": "20"},
            lambda s: s.DATABASES["default"]["OPTIONS"]["pool"]["max_size"],
            2,
        ),
        ({}, lambda s: s.CACHES["default"]["BACKEND"].rpartition(".")[2], "LocMemCache"),
        ({"CACHE_URL": "redis://cache:6379/0"}, lambda s: s.CACHES["default"]["LOCATION"], "redis://cache:6379/0"),
        ({"CSRF_TRUSTED_ORIGINS": "https://a.example"}, lambda s: s.CSRF_TRUSTED_ORIGINS, ["https://a.example"]),
        ({"SECRET_KEY_FALLBACKS": "old, older"}, lambda s: s.SECRET_KEY_FALLBACKS, ["old", "older"]),
        ({}, lambda s: (s.SECURE_SSL_REDIRECT, s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE), (True, True, True)),
        ({}, lambda s: s.SECURE_HSTS_SECONDS > 0, True),
        ({"DEBUG": "true"}, lambda s: s.HTTPS, False),
        ({"HTTPS": "false"}, lambda s: (s.SECURE_SSL_REDIRECT, s.SECURE_HSTS_SECONDS), (False, 0)),
        ({}, lambda s: hasattr(s, "SECURE_PROXY_SSL_HEADER"), False),
        ({"TRUSTED_PROXIES": "1"}, lambda s: s.SECURE_PROXY_SSL_HEADER, ("HTTP_X_FORWARDED_PROTO", "https")),
        ({"LOG_LEVEL": "ERROR"}, lambda s: s.LOGGING["root"]["level"], "ERROR"),
        ({}, lambda s: s.LOGGING["handlers"]["console"]["formatter"], "json"),
        ({"DEBUG": "true"}, lambda s: s.LOGGING["handlers"]["console"]["formatter"], "text"),
        # As Kubernetes sets it for a service that is named web.
        ({"WEB_PORT": "tcp://10.0.0.7:8000"}, lambda s: s.DEBUG, False),
        ({"SCRIPT_NAME": "/library"}, lambda s: s.FORCE_SCRIPT_NAME, "/library"),
        ({}, lambda s: s.LOGIN_RATE, "10/min"),
        ({"THROTTLE_LOGIN": "3/hour"}, lambda s: s.LOGIN_RATE, "3/hour"),
        ({"DEBUG": "true"}, mailer, ("console",)),
        ({}, mailer, ("smtp", "localhost", 25, "", "", False, False)),
        ({"EMAIL_URL": ""}, lambda s: mailer(s)[:3], ("smtp", "localhost", 25)),
        ({"EMAIL_URL": "console:"}, mailer, ("console",)),
        ({"EMAIL_URL": "smtp://[::1]:1025"}, lambda s: mailer(s)[1:3], ("::1", 1025)),
        (
            {"EMAIL_URL": "submission://me%40a.example:p%23ss@mail.example"},
            mailer,
            ("smtp", "mail.example", 587, "me@a.example", "p#ss", True, False),
        ),
        ({"EMAIL_URL": "smtps://mail.example"}, lambda s: mailer(s)[2:], (465, "", "", False, True)),
        ({}, lambda s: s.DEFAULT_FROM_EMAIL, "webmaster@localhost"),
        (
            {"DEFAULT_FROM_EMAIL": "Library <a@b.example>"},
            lambda s: (s.DEFAULT_FROM_EMAIL, s.SERVER_EMAIL),
            ("Library <a@b.example>",) * 2,
        ),
    ],
)
def test_a_variable_decides_a_setting(environment, setting, expected):
    assert setting(load({**KEY, **environment})) == expected


def test_limits_that_protect_the_server_are_set():
    settings = load(KEY)
    assert settings.MAX_UPLOAD_SIZE
    assert settings.DATA_UPLOAD_MAX_NUMBER_FIELDS
    assert settings.AUTH_PASSWORD_VALIDATORS


def test_each_request_has_an_id_before_anything_can_refuse_it_and_is_checked_before_it_is_read():
    order = [name.rpartition(".")[2] for name in load(KEY).MIDDLEWARE]
    expected = [
        "RequestIDMiddleware",
        "HealthMiddleware",
        "SecurityHeadersMiddleware",
        "SecurityMiddleware",
        "RequestBodyMiddleware",
        "WhiteNoiseMiddleware",
        "SessionMiddleware",
        "ConditionalGetMiddleware",
        "SlashMiddleware",
        "CsrfViewMiddleware",
        "AuthenticationMiddleware",
        "MessageMiddleware",
        "XFrameOptionsMiddleware",
        "TooManyAttemptsMiddleware",
    ]
    assert [name for name in order if name in expected] == expected


def test_secrets_come_from_files(tmp_path):
    (tmp_path / "key").write_text("k" * 50 + "\n", encoding="utf-8")
    (tmp_path / "url").write_text("postgres://u:p@db/d\n", encoding="utf-8")
    (tmp_path / "mail").write_text("submission://u:p@mail\n", encoding="utf-8")
    names = {"SECRET_KEY_FILE": "key", "DATABASE_URL_FILE": "url", "EMAIL_URL_FILE": "mail"}
    settings = load({variable: str(tmp_path / name) for variable, name in names.items()})
    assert (settings.SECRET_KEY, settings.DATABASES["default"]["HOST"]) == ("k" * 50, "db")
    assert mailer(settings)[1] == "mail"


def test_a_secret_file_that_is_missing_is_one_clear_line(tmp_path):
    with pytest.raises(SystemExit) as end:
        load({"SECRET_KEY_FILE": str(tmp_path / "none")})
    assert "SECRET_KEY_FILE" in str(end.value.code)
    assert "\n" not in str(end.value.code)


BAD = """SECRET_KEY=; ALLOWED_HOSTS=https://a.example; ALLOWED_HOSTS=a.example, b.example:8000;
DATABASE_URL=not a database; DATABASE_URL=postgres://user:p#ss@host:port/name; DEBUG=perhaps;
LOG_LEVEL=LOUD; TRUSTED_PROXIES=-1; STATEMENT_TIMEOUT=5s; WEB_CONCURRENCY=0; CACHE_URL=localhost;
THROTTLE_LOGIN=0/min; THROTTLE_LOGIN=10/week; THROTTLE_LOGIN=ten;
SCRIPT_NAME=library; SCRIPT_NAME=/library/;
EMAIL_URL=mail.example; EMAIL_URL=https://mail.example; EMAIL_URL=smtp://; EMAIL_URL=smtp://u:p#ss@host;
EMAIL_URL=smtp://host:port; EMAIL_URL=smtp://host:700000"""


@pytest.mark.parametrize("bad", ["SECRET_KEY", *map(str.strip, BAD.split(";"))])
def test_a_bad_variable_ends_the_start_with_one_line_that_names_it(bad):
    name, given, value = bad.partition("=")
    with pytest.raises(SystemExit) as end:
        load({**KEY, name: value} if given else {})
    assert f'"{name}"' in str(end.value.code)
    assert "\n" not in str(end.value.code)


def test_a_bad_variable_ends_manage_py_with_status_1():
    process = subprocess.run(
        [sys.executable, "manage.py", "check"],
        env={**os.environ, "DEBUG": "perhaps"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 1
    assert process.stderr.count("\n") == 1
    assert "DEBUG" in process.stderr


def test_settings_example_and_readme_list_the_same_variables():
    in_settings = set(re.findall(r'env\.\w+\(\s*"(\w+)"', read("django_project/settings.py")))
    in_settings |= set(re.findall(r'env\.\w+\("(\w+)"', read("gunicorn.conf.py")))
    # What containers are made from but the settings do not know.
    in_settings |= set(re.findall(r"\$\{(\w+)", read("docker-compose.yml")))
    in_example = set(re.findall(r"^#? ?([A-Z0-9_]+)=", read(".env.example"), re.M))
    in_readme = set(re.findall(r"^\| `([A-Z0-9_]+)`", read("README.md"), re.M))
    assert in_example == in_settings
    assert in_readme == in_settings
