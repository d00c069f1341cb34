"""The commands `start` and `demo`, the base of `seed_…`, and the environment file."""

import os
import re
import shutil
import socket
import subprocess
import sys
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth import authenticate, get_user_model
from django.contrib.auth.models import Group, UserManager
from django.contrib.staticfiles.management.commands.runserver import Command as RunserverCommand
from django.core.management import CommandError, call_command
from django.db import IntegrityError, OperationalError, connection

from core.environment import BASE_DIR, make_env_file
from core.management.commands import demo, start
from core.tests.rows import create_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_users_or_groups")]


# start


@pytest.fixture
def free_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `start` find its port free, whatever else runs on this machine."""
    monkeypatch.setattr(start.Command, "check_port", lambda *args: None)


@pytest.fixture
def prepared(monkeypatch: pytest.MonkeyPatch, free_port: None) -> list[str]:
    """Record what `start` does instead of doing it."""
    calls: list[str] = []
    # Set it, so that it is removed after the test, when `start` has set it.
    monkeypatch.setenv(start.PREPARED, "")
    monkeypatch.delenv(start.PREPARED)
    monkeypatch.setattr(start, "call_command", lambda name, **options: calls.append(name))
    monkeypatch.setattr(RunserverCommand, "handle", lambda *args, **options: calls.append("serve"))
    return calls


def test_the_first_start_migrates_loads_demo_data_and_serves(prepared):
    call_command("start")
    assert prepared == ["migrate", "demo", "serve"]


def test_a_start_with_users_loads_nothing(prepared):
    get_user_model().objects.create(username="reader")
    call_command("start")
    assert prepared == ["migrate", "serve"]


def test_a_start_after_a_change_of_the_code_prepares_nothing(prepared):
    call_command("start")
    prepared.clear()
    call_command("start")
    assert prepared == ["serve"]


def test_a_database_that_cannot_be_used_is_one_clear_line(monkeypatch, free_port):
    def fail(*args, **options):
        raise OperationalError("unable to open database file\nwith details")

    monkeypatch.setattr(start, "call_command", fail)
    with pytest.raises(
        CommandError, match=r"^The database cannot be used: unable to open database file\. DATABASE_URL"
    ):
        call_command("start")


def test_a_taken_port_is_one_clear_line(monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setenv("WEB_PORT", str(taken.getsockname()[1]))
        # Without the check, the server would start, and the test never end.
        monkeypatch.setattr(RunserverCommand, "handle", lambda *args, **options: pytest.fail("it has started"))
        with pytest.raises(CommandError, match=r"Port \d+ cannot be used .* set WEB_PORT"):
            call_command("start")


@pytest.mark.parametrize("port", ["80000", "tcp://10.0.0.7:8000"])
def test_a_wrong_port_is_one_clear_line(monkeypatch, port):
    monkeypatch.setenv("WEB_PORT", port)
    with pytest.raises(CommandError, match=r'"WEB_PORT" invalid: .* Set it in the environment or in \.env\.$'):
        call_command("start")


# demo


def test_the_demo_administrator_can_sign_in_with_the_printed_password(capsys):
    call_command("demo")
    password = re.search(r"password: (\S+)", capsys.readouterr().out)
    assert password
    admin = authenticate(username="admin", password=password[1])
    assert admin
    assert admin.is_superuser


def test_demo_data_can_be_loaded_again(capsys):
    call_command("demo")
    capsys.readouterr()
    call_command("demo")
    assert "password:" not in capsys.readouterr().out
    assert get_user_model().objects.count() == 1


def test_an_administrator_who_needs_more_fields_is_left_to_another_command(monkeypatch, capsys):
    def fail(*args, **fields):
        raise IntegrityError("NOT NULL constraint failed: accounts_user.age")

    monkeypatch.setattr(UserManager, "create_superuser", fail)
    call_command("demo")
    assert "user.age). Create one: python manage.py createsuperuser" in capsys.readouterr().out


def test_demo_makes_no_administrator_of_a_user_who_is_there():
    create_user("admin")
    with pytest.raises(CommandError, match="createsuperuser"):
        call_command("demo", stdout=StringIO())


# The base of seed_… commands, on a model that every project has


class SeedGroups(demo.SeedCommand):
    model = Group

    def make(self, choice: Any, digits: str) -> Group:
        return Group(name=f"{choice(['Red', 'Green', 'Blue'])} {digits}")


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def seed(count: Any, stdout: Any = None, **options: Any) -> tuple[list[str], str]:
    """Seed groups; return the names of all groups, and what was printed."""
    output = stdout or StringIO()
    call_command(SeedGroups(stdout=output), count=count, **options)
    return list(Group.objects.order_by("pk").values_list("name", flat=True)), output.getvalue()


def test_seeding_adds_the_same_rows_each_time_and_those_that_are_missing():
    first, output = seed(20)
    assert output.startswith("20 generated ")
    Group.objects.filter(name__in=first[10:]).delete()
    assert sorted(seed(20)[0]) == sorted(first)
    assert set(first) < set(seed(30)[0])
    assert Group.objects.count() == 30


def test_another_seed_adds_other_rows():
    first, _ = seed(20)
    both, _ = seed(20, seed=1)
    assert len(both) == 40
    assert [name.split()[0] for name in both[20:]] != [name.split()[0] for name in first]


def test_examples_are_added_unless_rows_are_to_be_generated(monkeypatch, settings):
    # Django translates the names of its models.
    settings.LANGUAGE_CODE = "en"
    monkeypatch.setattr(SeedGroups, "examples", lambda self: [Group(name="Editors")])
    assert seed(None) == (["Editors"], "1 groups are in the database.\n")
    assert seed(None)[0] == ["Editors"]
    assert len(seed(2)[0]) == 3
    assert len(seed(None, seed=1)[0]) == 103


@pytest.mark.parametrize("count", ["0", "-1", "ten", "1.5", "", "10000001", "9" * 10_000, "\u0663"])
def test_a_wrong_count_is_one_clear_line(count):
    with pytest.raises(CommandError, match=r"^--count is a whole number from 1 to 10000000\.$"):
        seed(count)
    assert not Group.objects.exists()


def test_a_wrong_seed_is_one_clear_line():
    with pytest.raises(CommandError, match=r"^--seed is a whole number from 0 to 9\.$"):
        seed(1, seed="10")


def test_progress_is_shown_on_a_terminal_alone(monkeypatch):
    monkeypatch.setattr(demo, "BATCH", 10)
    assert "20 of 20\n" in seed(20, Terminal())[1]
    assert "20 of 20" not in seed(20)[1]


def test_seeding_keeps_no_statements_in_memory(monkeypatch, settings):
    settings.DEBUG = True
    monkeypatch.setattr(demo, "BATCH", 1)
    seed(30)
    assert len(connection.queries_log) < 10


def test_seeding_that_is_stopped_says_how_to_go_on(monkeypatch):
    def interrupt(*args: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(SeedGroups, "make", interrupt)
    with pytest.raises(CommandError, match="The same command adds the rest") as error:
        seed(1)
    assert error.value.returncode == 130


# The environment file


@pytest.fixture
def folder(tmp_path):
    """A folder with nothing but the example of an environment file."""
    (tmp_path / ".env.example").write_bytes((BASE_DIR / ".env.example").read_bytes())
    return tmp_path


def test_the_environment_file_gets_a_secret_of_its_own(folder):
    assert make_env_file(folder)
    first = (folder / ".env").read_text(encoding="utf-8")
    assert len(re.findall(r"(?m)^SECRET_KEY=[\w-]{50,}$", first)) == 1
    if os.name == "posix":
        assert (folder / ".env").stat().st_mode & 0o077 == 0
    (folder / ".env").unlink()
    make_env_file(folder)
    assert (folder / ".env").read_text(encoding="utf-8") != first


def test_an_environment_file_that_exists_is_kept(folder):
    (folder / ".env").write_text("SECRET_KEY=mine\n", encoding="utf-8")
    assert not make_env_file(folder)
    assert (folder / ".env").read_text(encoding="utf-8") == "SECRET_KEY=mine\n"


def run_module(folder: Any) -> Any:
    """Run the module of the environment file in a copy of the project."""
    (folder / "core").mkdir()
    for name in ("__init__.py", "environment.py"):
        shutil.copy(BASE_DIR / "core" / name, folder / "core")
    return subprocess.run(
        [sys.executable, "-m", "core.environment"], cwd=folder, capture_output=True, text=True, check=False
    )


def test_the_module_makes_the_environment_file(tmp_path):
    shutil.copy(BASE_DIR / ".env.example", tmp_path)
    assert run_module(tmp_path).returncode == 0
    assert "SECRET_KEY=" in (tmp_path / ".env").read_text(encoding="utf-8")


def test_an_environment_file_that_cannot_be_made_is_one_clear_line(tmp_path):
    process = run_module(tmp_path)
    assert process.returncode == 1
    assert process.stderr.startswith("Could not make .env: ")
    assert process.stderr.count("\n") == 1
