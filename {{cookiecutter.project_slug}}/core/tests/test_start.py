"""The first minute: the environment file, demo data and the development server."""

import re
import socket

import pytest
from django.contrib.auth import authenticate, get_user_model
from django.core.management import CommandError, call_command
from django.db import OperationalError

from core.environment import BASE_DIR, make_env_file


@pytest.fixture
def folder(tmp_path):
    """A folder with nothing but the example of an environment file."""
    (tmp_path / ".env.example").write_bytes((BASE_DIR / ".env.example").read_bytes())
    return tmp_path


def test_the_environment_file_gets_a_secret_of_its_own(folder):
    assert make_env_file(folder)
    first = (folder / ".env").read_text(encoding="utf-8")
    assert len(re.findall(r"(?m)^SECRET_KEY=[\w-]{50,}$", first)) == 1
    assert (folder / ".env").stat().st_mode & 0o077 == 0
    (folder / ".env").unlink()
    make_env_file(folder)
    assert (folder / ".env").read_text(encoding="utf-8") != first


def test_an_environment_file_that_exists_is_left_alone(folder):
    (folder / ".env").write_text("SECRET_KEY=mine\n", encoding="utf-8")
    assert not make_env_file(folder)
    assert (folder / ".env").read_text(encoding="utf-8") == "SECRET_KEY=mine\n"


@pytest.mark.django_db
def test_the_demo_administrator_can_sign_in_with_the_printed_password(capsys):
    call_command("demo")
    password = re.search(r"password: (\S+)", capsys.readouterr().out)
    assert password
    admin = authenticate(username="admin", password=password[1])
    assert admin
    assert admin.is_superuser


@pytest.mark.django_db
def test_demo_data_can_be_loaded_again(capsys):
    call_command("demo")
    capsys.readouterr()
    call_command("demo")
    assert "password:" not in capsys.readouterr().out
    assert get_user_model().objects.count() == 1


def test_a_database_that_cannot_be_used_is_one_clear_line(monkeypatch, settings):
    def fail(*args, **options):
        raise OperationalError("unable to open database file\nwith details")

    settings.WEB_PORT = 0  # any
    monkeypatch.setattr("core.management.commands.start.MigrationExecutor", fail)
    with pytest.raises(
        CommandError, match=r"^The database cannot be used: unable to open database file\. DATABASE_URL"
    ):
        call_command("start")


def test_a_taken_port_is_one_clear_line(settings):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        settings.WEB_PORT = taken.getsockname()[1]
        with pytest.raises(CommandError, match=r"Port \d+ cannot be used .* Set WEB_PORT"):
            call_command("start")
