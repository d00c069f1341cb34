"""A new version replaces the running one in containers."""

import contextlib
import fcntl
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from baking import PATIENCE, BakedProject, environment, wait_until
from containers import PATIENT_POOL, Stack, build, containers, loading, patient_deploy, stored, web

DONE = "The new version is serving."
# The proxy's file that names the service.
UPSTREAM = "/etc/caddy/upstream"


@pytest.fixture(scope="module")
def stack(project: BakedProject) -> Iterator[Stack]:
    """Running containers below a path."""
    patient_deploy(project)
    variables = {"SCRIPT_NAME": "/library"} | PATIENT_POOL
    with containers(project, prefix="/library", services=web(**variables)) as stack:
        stack.up()
        yield stack


def deploy(stack: Stack, status: int = 0) -> str:
    return stack.project.run("sh", "deploy.sh", status=status, **stack.variables)


def check_the_old_version(stack: Stack, containers: list[str], output: str) -> None:
    """The old version serves after a deployment that failed."""
    last = output.splitlines()[-1]
    assert re.fullmatch(r"The deployment failed: .*\. The old version is still serving\.", last)
    assert stack.compose("exec", "-T", "proxy", "cat", UPSTREAM).strip() == "web"
    assert stack.ids("web-next") == []
    assert stack.get("/").status_code == 200
    # The name of the image is the old version's again.
    stack.up()
    assert stack.ids() == containers


@contextlib.contextmanager
def version(stack: Stack, name: str, old: str, new: str) -> Iterator[None]:
    """Change a file of the project, or create it if it replaces nothing, and build the image without it at the end."""
    path = stack.project.path / name
    try:
        stack.project.edit(name, old, new) if old else path.write_text(new, encoding="utf-8")
        yield
    finally:
        stack.project.edit(name, new, old) if old else path.unlink()
        build(stack.project)


def test_a_new_version_replaces_the_old_one_without_a_failed_request(stack: Stack) -> None:
    stack.up("--scale", "web=2")
    before = stack.ids()
    with version(stack, "core/templates/base.html", "</body>", "<!-- deployed --></body>"):
        with loading(stack, pause=0.01) as responses:
            assert deploy(stack).splitlines()[-1] == DONE
        assert "<!-- deployed -->" in stack.get().text
        after = stack.ids()
    stack.up()
    assert len(before) == len(after) == 2
    assert not set(before) & set(after)
    assert stack.ids("web-next") == []
    assert set(responses.statuses) == {("GET", 200), ("POST", 201)}
    assert responses.acknowledged <= stored(stack)


MIGRATION = """
from django.db import migrations

class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]
    operations = [migrations.RunSQL("SELECT no")]
"""
BROKEN = {
    "does not build": ("Dockerfile", "WORKDIR /app\nCOPY --from", "RUN false\nWORKDIR /app\nCOPY --from"),
    "does not migrate": ("accounts/migrations/0002_broken.py", "", MIGRATION),
    "does not start": ("django_project/wsgi.py", "import os\n", 'import os\nraise SystemExit("broken")\n'),
    "is not ready": ("core/health.py", 'cursor.execute("SELECT 1")', 'cursor.execute("SELECT no")'),
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_a_broken_version_leaves_the_old_one_serving(stack: Stack, broken: tuple[str, str, str]) -> None:
    before = stack.ids()
    with version(stack, *broken):
        with loading(stack) as responses:
            output = deploy(stack, status=1)
        check_the_old_version(stack, before, output)
    assert set(responses.statuses) == {("GET", 200), ("POST", 201)}
    assert responses.acknowledged <= stored(stack)


# The program sleep: the first call says that it has begun and never ends, the others are as usual.
SLEEP = """#!/bin/sh
mkdir "$SLEEPING" 2> /dev/null && exec {sleep} infinity
exec {sleep} "$@"
"""


@contextlib.contextmanager
def deploying(stack: Stack, log: Path, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """A deployment that writes to this file, and ends with the block.

    As in a terminal, the script and what it runs are a group of processes, which gets the signals.
    """
    with log.open("w") as output:
        process = subprocess.Popen(
            ["sh", "deploy.sh"],
            cwd=stack.project.path,
            env=environment(**stack.variables, **variables),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def test_ctrl_c_goes_back_to_the_old_version(stack: Stack, tmp_path: Path) -> None:
    before = stack.ids()
    program, sleeping, log = tmp_path / "bin" / "sleep", tmp_path / "sleeping", tmp_path / "log"
    program.parent.mkdir()
    program.write_text(SLEEP.format(sleep=shutil.which("sleep")), encoding="utf-8")
    program.chmod(0o755)
    path = f"{program.parent}:{environment()['PATH']}"
    with loading(stack) as responses, deploying(stack, log, PATH=path, SLEEPING=str(sleeping)) as process:
        # When it is hardest: requests go to the new version already.
        wait_until(lambda: sleeping.exists() or process.poll() is not None, "the switch to the new version", log)
        assert stack.compose("exec", "-T", "proxy", "cat", UPSTREAM).strip() == "web-next", log.read_text()
        responses.wait_for_more()
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(PATIENCE) == 1, log.read_text()
    check_the_old_version(stack, before, log.read_text())
    assert set(responses.statuses) == {("GET", 200), ("POST", 201)}


def test_a_second_deployment_at_once_is_refused(stack: Stack) -> None:
    with (stack.project.path / "deploy.sh").open() as first:

        def locks() -> bool:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(first, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            return False

        # A program that an earlier deployment has left would hold the lock.
        wait_until(locks, "the lock of deploy.sh")
        output = deploy(stack, status=1)
    assert output == "The deployment failed: another deployment is running. Try again after it.\n"


def test_an_interrupted_deployment_is_finished_by_the_next_one(stack: Stack) -> None:
    # As if the first one had been killed after it had switched the proxy.
    stack.compose("up", "--detach", "--wait", "--wait-timeout", str(PATIENCE), "--no-deps", "web-next")
    stack.compose("exec", "-T", "proxy", "sh", "-c", f"echo web-next > {UPSTREAM}")
    stack.compose("stop", "web")
    assert stack.get("/").status_code == 200
    assert deploy(stack).splitlines()[-1] == DONE
    assert stack.ids("web-next") == []
    assert stack.get("/").status_code == 200


def test_without_running_containers_a_deployment_says_how_to_start(project: BakedProject) -> None:
    with containers(project, services=web()) as stack:
        output = deploy(stack, status=1)
    assert output.count("\n") == 1
    assert "docker compose up --build --wait" in output
