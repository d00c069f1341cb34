"""The image of a rendered project."""

import re
import uuid

import pytest
import yaml
from baking import BakedProject, wait_until
from containers import build


def test_a_code_change_reuses_the_dependency_layer_and_a_lock_change_does_not(project: BakedProject) -> None:
    step = re.compile(r"#(\d+) \[builder \d+/\d+\] RUN --mount=type=cache")
    views, lock = project.path / "core" / "views.py", project.path / "uv.lock"
    before, locked = views.read_text(encoding="utf-8"), lock.read_text(encoding="utf-8")

    def reuses() -> bool:
        log = build(project)
        number = step.search(log)
        assert number
        return f"#{number[1]} CACHED" in log

    def reuses_after_a_code_change() -> bool:
        views.write_text(f"{before}\n# {uuid.uuid4()}\n", encoding="utf-8")
        return reuses()

    build(project)
    try:
        # Where the disk is full, BuildKit may have thrown the layer away between two builds.
        wait_until(reuses_after_a_code_change, "a build that reuses the layer")
        lock.write_text(f"{locked}\n# {uuid.uuid4()}\n", encoding="utf-8")
        assert not reuses()
    finally:
        views.write_text(before, encoding="utf-8")
        lock.write_text(locked, encoding="utf-8")
        build(project)


def test_a_build_makes_one_image_for_web_and_migrate(project: BakedProject) -> None:
    log = project.run("docker", "compose", "--progress=plain", "build")
    # A slow step appears twice, with the same number.
    assert len(set(re.findall(r"#\d+ naming to", log))) == 1


def test_no_mounted_folder_hides_the_environment(project: BakedProject) -> None:
    services = yaml.safe_load(project.read("docker-compose.yml"))["services"]
    # Below /app, nothing but uploads; the environment is outside.
    for service in (services["web"], services["migrate"]):
        assert (service["volumes"], "configs" in service) == (["media:/app/media"], False)
    code = "import sys; print(sys.prefix)"
    assert project.run("docker", "run", "--rm", project.path.name, "python", "-c", code) == "/opt/venv\n"


def test_the_image_holds_no_secret_and_no_tool_of_the_build(project: BakedProject) -> None:
    name = project.path.name
    history = project.run("docker", "history", "--no-trunc", name)
    inspected = project.run("docker", "image", "inspect", name)
    secrets = re.findall(r"(?m)^(?:SECRET_KEY|POSTGRES_PASSWORD)=(.+)$", project.read(".env"))
    assert len(secrets) == 2
    for text in (history, inspected):
        assert "of-the-build" not in text
        assert not any(secret in text for secret in secrets)
    code = "import os; print(*(os.path.join(d, n) for d, ds, ns in os.walk('/') for n in ds + ns), sep='\\n')"
    paths = project.run("docker", "run", "--rm", "--user=0", name, "python", "-c", code).splitlines()
    assert "/app/manage.py" in paths
    names = {path for path in paths if not path.startswith(("/proc/", "/sys/"))}
    last = {path.rpartition("/")[2] for path in names}
    assert not last & {".env", ".git", "db.sqlite3", "docker-compose.yml"}
    programs = {path.rpartition("/")[2] for path in names if "/bin/" in path}
    assert "python3" in programs
    assert not programs & {"gcc", "cc", "clang", "uv", "uvx"}
    assert not [path for path in names if path.startswith("/app/") and "/tests" in path]


@pytest.mark.parametrize("user", ["", "123456:0", "40000:40000"])
def test_the_server_is_not_root_also_under_a_random_uid(project: BakedProject, user: str) -> None:
    options = ["--detach", "--rm", "--init", "--read-only", "--tmpfs=/tmp", "--env=SECRET_KEY=" + "k" * 50]
    options += [f"--user={user}"] if user else []
    container = project.run("docker", "run", *options, project.path.name).strip()
    try:
        assert project.run("docker", "exec", container, "id", "-u").strip() == (user or "10001").partition(":")[0]
        health = ["docker", "inspect", "--format={{.State.Health.Status}}", container]
        wait_until(lambda: project.run(*health).strip() == "healthy", "a healthy container")
    finally:
        project.run("docker", "rm", "--force", container)


def test_a_missing_key_ends_the_server_at_once_with_one_line(project: BakedProject) -> None:
    output = project.run("docker", "run", "--rm", "--init", project.path.name, status=1)
    assert output.count("\n") == 1
    assert "SECRET_KEY" in output


def test_the_dockerfile_is_without_reproach(project: BakedProject) -> None:
    assert "no warnings found" in project.run("docker", "build", "--check", ".")


def test_the_image_is_at_most_a_hundred_megabytes_larger_than_its_base(project: BakedProject) -> None:
    base = re.findall(r"(?m)^FROM (\S+)", project.read("Dockerfile"))[-1]
    sizes = [
        int(project.run("docker", "image", "inspect", "--format={{.Size}}", name))
        for name in (project.path.name, base)
    ]
    assert sizes[0] - sizes[1] <= 100_000_000


def test_hadolint_finds_nothing(project: BakedProject) -> None:
    project.run("hadolint", "Dockerfile")


def test_an_image_from_a_clone_that_only_its_owner_can_read_works_under_any_uid(project: BakedProject) -> None:
    modes = {path: path.stat().st_mode for path in project.path.rglob("*")}
    name = f"{project.path.name}-umask"
    try:
        for path, mode in modes.items():
            path.chmod(mode & 0o700)
        project.run("docker", "build", "--tag", name, ".")
        run = ["docker", "run", "--rm", "--user=40000:40000", "--env=SECRET_KEY=" + "k" * 50, name]
        project.run(*run, "python", "manage.py", "check")
        project.run(*run, "test", "-r", "/app/staticfiles/staticfiles.json")
    finally:
        for path, mode in modes.items():
            path.chmod(mode)
        project.run("docker", "image", "rm", "--force", name)
