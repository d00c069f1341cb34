"""Settings come from the environment, and .env.example and README.md list all of them."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NO_FILE = "import environs; environs.Env.read_env = lambda *args, **options: None"
KEY = {"SECRET_KEY": "k" * 50}


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def run(code, environment):
    """Run code in a project without .env and with no other variables than these; returns the process."""
    inherited = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "VIRTUAL_ENV") if name in os.environ}
    code = f"{NO_FILE}\nfrom django_project import settings as s\n{code}"
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**inherited, **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("environment", "expression", "expected"),
    [
        ({}, "s.DEBUG", "False"),
        ({"DEBUG": "true"}, "s.DEBUG", "True"),
        ({}, "s.ALLOWED_HOSTS", "['localhost', '127.0.0.1', '[::1]']"),
        ({"ALLOWED_HOSTS": "a.example, b.example"}, "s.ALLOWED_HOSTS", "['a.example', 'b.example']"),
        ({}, "s.DATABASES['default']['NAME'] == s.BASE_DIR / 'db.sqlite3'", "True"),
        ({"DATABASE_URL": "postgres://u:p%40@db:5432/d"}, "s.DATABASES['default']['PASSWORD']", "p@"),
        ({"DATABASE_URL": "postgres://u:p@db/d"}, "'pool' in s.DATABASES['default']['OPTIONS']", "True"),
        ({}, "s.CACHES['default']['BACKEND'].rpartition('.')[2]", "LocMemCache"),
        ({"CACHE_URL": "redis://cache:6379/0"}, "s.CACHES['default']['LOCATION']", "redis://cache:6379/0"),
        ({"CSRF_TRUSTED_ORIGINS": "https://a.example"}, "s.CSRF_TRUSTED_ORIGINS", "['https://a.example']"),
        ({}, "[s.SECURE_SSL_REDIRECT, s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE]", "[True, True, True]"),
        ({}, "s.SECURE_HSTS_SECONDS > 0", "True"),
        ({"DEBUG": "true"}, "s.HTTPS", "False"),
        ({"HTTPS": "false"}, "[s.SECURE_SSL_REDIRECT, s.SECURE_HSTS_SECONDS]", "[False, 0]"),
        ({}, "hasattr(s, 'SECURE_PROXY_SSL_HEADER')", "False"),
        ({"TRUSTED_PROXIES": "1"}, "s.SECURE_PROXY_SSL_HEADER", "('HTTP_X_FORWARDED_PROTO', 'https')"),
        ({"LOG_LEVEL": "ERROR"}, "s.LOGGING['root']['level']", "ERROR"),
        # As Kubernetes sets it for a service that is named web.
        ({"WEB_PORT": "tcp://10.0.0.7:8000"}, "s.DEBUG", "False"),
        ({"SCRIPT_NAME": "/library"}, "s.FORCE_SCRIPT_NAME", "/library"),
    ],
)
def test_a_variable_decides_a_setting(environment, expression, expected):
    process = run(f"print({expression})", {**KEY, **environment})
    assert process.stdout.strip() == expected, process.stderr


def test_secrets_come_from_files(tmp_path):
    (tmp_path / "key").write_text("k" * 50 + "\n", encoding="utf-8")
    (tmp_path / "url").write_text("postgres://u:p@db/d\n", encoding="utf-8")
    files = {"SECRET_KEY_FILE": str(tmp_path / "key"), "DATABASE_URL_FILE": str(tmp_path / "url")}
    process = run("print(s.SECRET_KEY, s.DATABASES['default']['HOST'])", files)
    assert process.stdout.split() == ["k" * 50, "db"], process.stderr


def test_a_secret_file_that_is_missing_is_one_clear_line(tmp_path):
    process = run("", {"SECRET_KEY_FILE": str(tmp_path / "none")})
    assert process.returncode == 1
    assert process.stderr.count("\n") == 1
    assert "SECRET_KEY_FILE" in process.stderr


BAD = """SECRET_KEY=; DATABASE_URL=not a database; DATABASE_URL=postgres://user:p#ss@host:port/name; DEBUG=perhaps;
LOG_LEVEL=LOUD; TRUSTED_PROXIES=-1; STATEMENT_TIMEOUT=5s; WEB_CONCURRENCY=0; CACHE_URL=localhost;
SCRIPT_NAME=library; SCRIPT_NAME=/library/"""


@pytest.mark.parametrize("bad", ["SECRET_KEY", *map(str.strip, BAD.split(";"))])
def test_a_bad_variable_ends_the_start_with_one_line_that_names_it(bad):
    name, given, value = bad.partition("=")
    process = run("", {**KEY, name: value} if given else {})
    assert process.returncode == 1
    assert process.stderr.count("\n") == 1
    assert f'"{name}"' in process.stderr


def test_settings_example_and_readme_list_the_same_variables():
    in_settings = set(re.findall(r'env\.\w+\(\s*"(\w+)"', read("django_project/settings.py")))
    in_settings |= set(re.findall(r'os\.environ\.setdefault\("(\w+)"', read("gunicorn.conf.py")))
    # What containers are made from but the settings do not know.
    in_settings |= set(re.findall(r"\$\{(\w+)", read("docker-compose.yml")))
    in_example = set(re.findall(r"^#? ?([A-Z_]+)=", read(".env.example"), re.M))
    in_readme = set(re.findall(r"^\| `([A-Z_]+)`", read("README.md"), re.M))
    assert in_example == in_settings
    assert in_readme == in_settings
