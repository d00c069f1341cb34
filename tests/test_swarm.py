"""The add-on for Docker Swarm on three engines: deployments, failures, and the loss of nodes."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from baking import PATIENCE, ROOT, BakedProject, HTTPClient, environment, http_get, http_post
from containers import FEW_LOGINS, PASSWORD, PATIENT_POOL, RATES
from swarm import Node, clients, engines, join, load_images, run, wait_until

SECRET_KEY = "a-key-for-the-tests-0123456789-abcdefghijklmnopqrstuvwxyz"
# No other run of the tests has images of this name.
REPOSITORY = f"registry.example.com/library-{uuid.uuid4().hex[:6]}"
# What a release changes in the image of the project.
RELEASES = {
    "1": "ENV RELEASE=1",
    "2": "ENV RELEASE=2",
    "does-not-start": """CMD ["python", "-c", "raise SystemExit('broken')"]""",
    "is-not-healthy": 'HEALTHCHECK CMD ["false"]',
}
SERVING = "still serving."
SETTINGS = {
    "ALLOWED_HOSTS": "*",
    "HTTPS": "false",
    "TRUSTED_PROXIES": "1",
    "STATEMENT_TIMEOUT": "0",
    "GUNICORN_CMD_ARGS": f"--timeout {PATIENCE} --graceful-timeout {PATIENCE}",
    **RATES,
    **FEW_LOGINS,
}
# Limits that a busy machine may exceed; test_swarm_addon.py compares them with each other.
PATIENT = [
    ("stack.yml", "timeout: 5s", f"timeout: {PATIENCE}s"),
    ("stack.yml", "retries: 3", "retries: 1000"),
    ("stack.yml", "start_period: 30s", f"start_period: {PATIENCE}s"),
    ("stack.yml", "stop_grace_period: 10s", f"stop_grace_period: {PATIENCE + 10}s"),
    ("Caddyfile", "read_header 10s", f"read_header {PATIENCE}s"),
    ("Caddyfile", "lb_try_duration 30s", f"lb_try_duration {PATIENCE}s"),
    ("Caddyfile", "response_header_timeout 5s", f"response_header_timeout {PATIENCE}s"),
    ("deploy.sh", "-gt 3 ]", "-gt 100 ]"),
]


@dataclass
class Swarm:
    """Three nodes, a project with the add-on, and a database that is no part of the swarm."""

    nodes: list[Node]
    project: BakedProject

    @property
    def name(self) -> str:
        return self.project.path.name

    def docker(self, *arguments: str, check: bool = True) -> str:
        """A command to the first node."""
        return self.nodes[0].docker(*arguments, check=check)

    def deploy(self, release: str, status: int = 0) -> str:
        return self.project.run("sh", "swarm/deploy.sh", release, status=status, DOCKER_HOST=self.nodes[0].socket)

    def services(self) -> set[str]:
        return set(self.docker("service", "ls", "--format", "{{.Name}}").split())

    def replicas(self) -> list[tuple[str, str, str]]:
        """The nodes, images and states of the replicas that should run."""
        row = "{{.Node}} {{.Image}} {{.CurrentState}}"
        tasks = [line.split() for line in self.tasks("web", f"--format={row}").splitlines()]
        return [(node, image.rpartition(":")[2], state) for node, image, state, *_ in tasks]

    def tasks(self, service: str, *options: str) -> str:
        """What is known of the containers that should run."""
        return self.nodes[0].ask("service", "ps", "--filter=desired-state=running", *options, f"{self.name}_{service}")

    def releases(self) -> set[str]:
        return {image for _, image, _ in self.replicas()}

    def runs_on(self, nodes: list[Node]) -> bool:
        """Whether three replicas run, all of them on these nodes."""
        names = {node.name for node in nodes}
        tasks = self.replicas()
        return len(tasks) == 3 and all(node in names and state == "Running" for node, _, state in tasks)

    def containers(self, service: str = "web") -> list[tuple[Node, str]]:
        """The containers of a service, without those that Swarm stops."""
        tasks = self.tasks(service, "--quiet", "--no-trunc").split()
        row = '--format={{.ID}}:{{.Label "com.docker.swarm.task.id"}}'
        lines = [(node, line.split(":")) for node in self.nodes for line in node.docker("ps", row).split()]
        return [(node, container) for node, (container, task) in lines if task in tasks]

    def python(self, code: str) -> str:
        node, container = self.containers()[0]
        return node.docker("exec", container, "python", "manage.py", "shell", "--verbosity=0", "--command", code)

    def limit_proxies(self, caddyfile: str) -> None:
        """Give the proxies that run now another configuration."""
        for node, container in self.containers("proxy"):
            command = ["caddy", "reload", "--config=-", "--adapter=caddyfile"]
            command = ["docker", "--host", node.socket, "exec", "--interactive", container, *command]
            subprocess.run(command, input=caddyfile, text=True, check=True, capture_output=True)

    def stored(self) -> set[str]:
        code = "from books.models import Book; print(*Book.objects.values_list('isbn', flat=True), sep='\\n')"
        return set(self.python(code).split())

    def others_than_a_worker(self) -> tuple[Node, list[Node]]:
        """A node with a replica but without the database, if possible not the leader, and the other nodes."""
        names = {node for node, _, _ in self.replicas()}
        leader = self.nodes[0].ask("node", "ls", '--format={{if eq .ManagerStatus "Leader"}}{{.Hostname}}{{end}}')
        candidates = [node for node in self.nodes[1:] if node.name in names]
        chosen = min(candidates, key=lambda node: node.name == leader.strip())
        return chosen, [node for node in self.nodes if node is not chosen]


@pytest.fixture(scope="module")
def swarm(project: BakedProject) -> Iterator[Swarm]:
    """A swarm to which nothing is deployed, and that has no secrets."""
    project.run("cookiecutter", str(ROOT), "--directory=addons/swarm", "--no-input", f"image={REPOSITORY}")
    configure(project, SETTINGS)
    for name, old, new in PATIENT:
        project.edit(f"swarm/{name}", old, new)
    images = [f"{REPOSITORY}:{release}" for release in RELEASES]
    for image, change in zip(images, RELEASES.values(), strict=True):
        recipe = f"FROM {project.path.name}\n{change}\n"
        subprocess.run(["docker", "build", "--quiet", "--tag", image, "-"], input=recipe, text=True, check=True)
    try:
        with engines() as nodes:
            join(nodes)
            load_images(nodes, "caddy:2", "valkey/valkey:9", *images)
            load_images(nodes[:1], "postgres:18-trixie")
            account = [f"--env=POSTGRES_{name}=app" for name in ("USER", "DB", "PASSWORD")]
            nodes[0].docker(
                "run", "--detach", "--name=database", "--publish=5432:5432", *account, "postgres:18-trixie"
            )
            wait_for_database(nodes[0])
            yield Swarm(nodes, project)
    finally:
        run("docker", "image", "rm", "--force", *images)


def configure(project: BakedProject, settings: dict[str, str]) -> None:
    """Set these in app.env."""
    text = re.sub(rf"(?m)^({'|'.join(settings)})=.*\n", "", project.read("swarm/app.env"))
    text += "".join(f"{name}={value}\n" for name, value in settings.items())
    (project.path / "swarm/app.env").write_text(text, encoding="utf-8")


def wait_for_database(node: Node) -> None:
    """Wait over TCP: while the image initializes the database, the server listens only on its Unix socket."""
    ready = ["exec", "database", "pg_isready", "--host=127.0.0.1", "--username=app"]
    wait_until(lambda: "accepting" in node.docker(*ready, check=False), "PostgreSQL")


def create_secret(swarm: Swarm, name: str, value: str) -> None:
    command = ["docker", "--host", swarm.nodes[0].socket, "secret", "create", f"{swarm.name}_{name}", "-"]
    subprocess.run(command, input=value, text=True, check=True, stdout=subprocess.DEVNULL)


def test_a_missing_secret_is_named_before_anything_is_created(swarm: Swarm) -> None:
    create_secret(swarm, "secret_key", SECRET_KEY)
    try:
        output = swarm.deploy("1", status=1)
    finally:
        swarm.docker("secret", "rm", f"{swarm.name}_secret_key")
    assert output.count("\n") == 1
    assert f"the secret {swarm.name}_database_url is missing" in output
    assert swarm.services() == set()
    assert swarm.name not in swarm.docker("network", "ls")


@pytest.fixture(scope="module")
def with_secrets(swarm: Swarm) -> Swarm:
    create_secret(swarm, "secret_key", SECRET_KEY)
    address = f"{swarm.nodes[0].address}:5432"
    create_secret(swarm, "database_url", f"postgres://app:app@{address}/app?connect_timeout={PATIENCE}")
    return swarm


def test_a_database_that_is_down_at_the_first_deployment_is_reported(with_secrets: Swarm) -> None:
    swarm = with_secrets
    swarm.docker("stop", "database")
    try:
        output = swarm.deploy("1", status=1)
    finally:
        swarm.docker("start", "database")
        wait_for_database(swarm.nodes[0])
    assert "the database could not be migrated" in output.splitlines()[-1]
    assert "connection" in output
    assert swarm.services() == set()


@dataclass
class Deployed(Swarm):
    """A swarm that serves release 1, with an administrator."""

    output: str
    headers: dict[str, str]


@pytest.fixture(scope="module")
def deployed(with_secrets: Swarm) -> Deployed:
    swarm = with_secrets
    # From now on, the database never goes away.
    configure(swarm.project, PATIENT_POOL)
    output = swarm.deploy("1")
    wait_until(lambda: all(map(Node.responds, swarm.nodes)), "the proxies, which have no health check")
    swarm.python(f"""
from django.contrib.auth import get_user_model
get_user_model().objects.create_superuser("tester", password="{PASSWORD}")
""")
    login = {"username": "tester", "password": PASSWORD}
    response = http_post(f"http://{swarm.nodes[0].address}/api/v1/auth/token/", json=login)
    headers = {"Authorization": f"Token {response.json()['token']}"}
    return Deployed(swarm.nodes, swarm.project, output, headers)


def test_the_first_deployment_serves_on_every_node(deployed: Deployed) -> None:
    assert deployed.output.splitlines()[-1] == "Release 1 is serving."
    pages = [http_get(f"http://{node.address}/").status_code for node in deployed.nodes]
    assert pages == [200] * 3


def test_migrations_run_once_in_a_job_that_is_not_kept(deployed: Deployed) -> None:
    assert deployed.output.count("Applying books.0001_initial") == 1
    assert deployed.services() == {f"{deployed.name}_{service}" for service in ("web", "proxy", "cache")}


def test_secrets_come_from_the_engine(deployed: Deployed) -> None:
    assert deployed.python("from django.conf import settings; print(settings.SECRET_KEY)").strip() == SECRET_KEY
    for node, container in deployed.containers():
        description = node.docker("inspect", container)
        assert SECRET_KEY not in description
        assert "postgres://" not in description


def test_nodes_agree_about_sessions_tokens_and_limits(deployed: Deployed) -> None:
    urls = [f"http://{node.address}" for node in deployed.nodes] * 4
    tokens = [http_get(f"{url}/api/v1/auth/user/", headers=deployed.headers) for url in urls]
    assert {response.status_code for response in tokens} == {200}
    with HTTPClient() as browser:
        browser.get(f"{urls[0]}/admin/login/")
        form = {"username": "tester", "password": PASSWORD, "csrfmiddlewaretoken": browser.cookies["csrftoken"]}
        browser.post(f"{urls[0]}/admin/login/?next=/admin/", data=form)
        session = {"sessionid": browser.cookies["sessionid"]}
    assert all("Log out" in http_get(f"{url}/admin/", cookies=session).text for url in urls)
    [(node, cache)] = deployed.containers("cache")

    def valkey(*command: str) -> list[str]:
        return node.docker("exec", cache, "valkey-cli", *command).split()

    def refused_and_counted() -> tuple[int, list[list[str]]]:
        """How many of twelve failed attempts are refused, the first ones of the day, and their counts in the cache."""
        valkey("flushall")
        login = {"username": "tester", "password": "wrong"}
        statuses = [http_post(f"{url}/api/v1/auth/token/", json=login).status_code for url in urls]
        return statuses.count(429), [valkey("get", key) for key in valkey("--scan", "--pattern", "*:login:address:*")]

    # Ten failed attempts a day are allowed. Again if a new day has begun, or if the cache took longer for one than a
    # quarter of a second: it is not counted then.
    wait_until(lambda: refused_and_counted() == (2, [["12"]]), "one count for all nodes")


@pytest.mark.parametrize("release", ["2", "1"])
def test_an_update_fails_none_of_three_thousand_requests(deployed: Deployed, release: str) -> None:
    with clients(deployed.nodes, deployed.headers) as load:
        load.wait_for(100)
        output = deployed.deploy(release)
        load.wait_for(max(50, 3000 - len(load.requests)))
    assert output.splitlines()[-1] == f"Release {release} is serving."
    assert deployed.releases() == {release}
    assert load.failed("GET", "POST") == []
    assert load.acknowledged <= deployed.stored()


@pytest.mark.parametrize("release", ["does-not-start", "is-not-healthy"])
def test_a_broken_release_is_rolled_back_without_a_failed_request(deployed: Deployed, release: str) -> None:
    before = deployed.releases()
    patient = deployed.project.read("swarm/stack.yml")
    for old, new in (("retries: 1000", "retries: 3"), (f"start_period: {PATIENCE}s", "start_period: 5s")):
        deployed.project.edit("swarm/stack.yml", old, new)
    try:
        with clients(deployed.nodes, deployed.headers) as load:
            load.wait_for(50)
            output = deployed.deploy(release, status=1)
            load.wait_for(50)
    finally:
        (deployed.project.path / "swarm/stack.yml").write_text(patient, encoding="utf-8")
    assert output.splitlines()[-1].endswith(f"Swarm rolled it back. Its old version is {SERVING}")
    assert deployed.releases() == before
    assert load.failed("GET", "POST") == []


def test_an_image_that_is_not_in_the_registry_changes_nothing(deployed: Deployed) -> None:
    before = deployed.replicas()
    output = deployed.deploy("nowhere", status=1)
    assert f"No such image: {REPOSITORY}:nowhere" in output
    assert output.splitlines()[-1].endswith(SERVING)
    assert deployed.replicas() == before


# The docker command of a deployment that has its lock: it waits in its next step.
HELD = """#!/bin/sh
if [ "$1 $2" = "service rm" ]; then
    touch {folder}/waits
    until [ -e {folder}/goes_on ]; do sleep 0.1; done
fi
exec {docker} "$@"
"""


@contextlib.contextmanager
def deploying(swarm: Swarm, folder: Path) -> Iterator[tuple[subprocess.Popen[str], Callable[[], str]]]:
    """A deployment that has its lock, and a function that lets it go on, and returns its last line."""
    docker = folder / "docker"
    docker.write_text(HELD.format(folder=folder, docker=shutil.which("docker")), encoding="utf-8")
    docker.chmod(0o755)
    process = subprocess.Popen(
        ["sh", "swarm/deploy.sh", *swarm.releases()],
        cwd=swarm.project.path,
        env=environment(DOCKER_HOST=swarm.nodes[0].socket, PATH=f"{folder}:{os.environ['PATH']}"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )

    def go_on() -> str:
        (folder / "goes_on").touch()
        return process.communicate(timeout=PATIENCE)[0].splitlines()[-1]

    try:
        wait_until(lambda: (folder / "waits").exists() or process.poll() is not None, "the lock")
        assert process.poll() is None, "the deployment has ended"
        yield process, go_on
    finally:
        process.terminate()
        (folder / "goes_on").touch()
        process.communicate(timeout=PATIENCE)


def test_a_second_deployment_is_refused_while_one_runs(deployed: Deployed, tmp_path: Path) -> None:
    with deploying(deployed, tmp_path) as (first, go_on):
        output = deployed.deploy("2", status=1)
        assert output.count("\n") == 1
        assert "another one is running" in output
        assert go_on().endswith("is serving.")
    assert first.returncode == 0


def test_an_interrupted_deployment_gives_up_its_lock(deployed: Deployed, tmp_path: Path) -> None:
    lock = f"{deployed.name}_deployment"
    with deploying(deployed, tmp_path) as (process, go_on):
        assert lock in deployed.docker("config", "ls")
        process.send_signal(signal.SIGTERM)
        assert "it was interrupted" in go_on()
    assert process.returncode == 1
    assert lock not in deployed.docker("config", "ls")


def test_draining_a_node_fails_no_request(deployed: Deployed) -> None:
    drained, others = deployed.others_than_a_worker()
    with clients(others, deployed.headers) as load:
        load.wait_for(50)
        deployed.nodes[0].ask("node", "update", "--availability=drain", drained.name)
        try:
            wait_until(lambda: deployed.runs_on(others), "replicas on the other nodes")
        finally:
            deployed.nodes[0].ask("node", "update", "--availability=active", drained.name)
        load.wait_for(50)
    assert load.failed("GET", "POST") == []
    assert load.acknowledged <= deployed.stored()


def test_a_node_that_vanishes_fails_no_read_and_loses_no_acknowledged_write(deployed: Deployed) -> None:
    # The last test, because the managers need time to recover.
    lost, others = deployed.others_than_a_worker()
    # The proxies give up a node after the add-on's own seconds.
    patient = deployed.project.read("swarm/Caddyfile")
    deployed.limit_proxies(patient.replace(f"response_header_timeout {PATIENCE}s", "response_header_timeout 5s"))
    with clients(others, deployed.headers) as load:
        load.wait_for(50)
        lost.unplug()
        try:
            wait_until(lambda: deployed.runs_on(others), "replicas on the other nodes")
            load.wait_for(50)
        finally:
            lost.plug_in()
    assert load.failed("GET") == []
    assert {request.status for request in load.failed("POST")} <= {502, 504}
    assert load.acknowledged <= deployed.stored()
