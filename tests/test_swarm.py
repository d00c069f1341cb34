"""The add-on for Docker Swarm on three engines: deployments, failures, and the loss of nodes."""

import re
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest
from baking import ROOT, BakedProject, environment
from containers import FEW_LOGINS, PASSWORD, RATES
from swarm import Node, clients, engines, join, load_images, run, wait_until

SECRET_KEY = "a-key-for-the-tests-0123456789-abcdefghijklmnopqrstuvwxyz"
REGISTRY = "registry.example.com"
# What a release changes in the image of the project.
RELEASES = {
    "1": "ENV RELEASE=1",
    "2": "ENV RELEASE=2",
    "does-not-start": """CMD ["python", "-c", "raise SystemExit('broken')"]""",
    "is-not-healthy": 'HEALTHCHECK CMD ["false"]',
}
SERVING = "still serving."


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
        lines = self.docker("service", "ps", "--filter=desired-state=running", f"--format={row}", f"{self.name}_web")
        tasks = [line.split() for line in lines.splitlines()]
        return [(node, image.rpartition(":")[2], state) for node, image, state, *_ in tasks]

    def releases(self) -> set[str]:
        return {image for _, image, _ in self.replicas()}

    def runs_on(self, nodes: list[Node]) -> bool:
        """Whether three replicas run, all of them on these nodes."""
        names = {node.name for node in nodes}
        tasks = self.replicas()
        return len(tasks) == 3 and all(node in names and state == "Running" for node, _, state in tasks)

    def containers(self) -> list[tuple[Node, str]]:
        """The containers of the replicas."""
        label = f"label=com.docker.swarm.service.name={self.name}_web"
        return [(node, name) for node in self.nodes for name in node.docker("ps", "-q", "--filter", label).split()]

    def python(self, code: str) -> str:
        node, container = self.containers()[0]
        return node.docker("exec", container, "python", "manage.py", "shell", "--verbosity=0", "--command", code)

    def stored(self) -> set[str]:
        code = "from books.models import Book; print(*Book.objects.values_list('isbn', flat=True), sep='\\n')"
        return set(self.python(code).split())

    def others_than_a_worker(self) -> tuple[Node, list[Node]]:
        """A node with a replica but without the database, and the other nodes."""
        names = {node for node, _, _ in self.replicas()}
        chosen = next(node for node in self.nodes[1:] if node.name in names)
        return chosen, [node for node in self.nodes if node is not chosen]


@pytest.fixture(scope="module")
def swarm(project: BakedProject) -> Iterator[Swarm]:
    """A swarm to which nothing is deployed, and that has no secrets."""
    project.run("cookiecutter", str(ROOT), "--directory=addons/swarm", "--no-input", f"image={REGISTRY}/library")
    variables = {"ALLOWED_HOSTS": "*", "HTTPS": "false", "TRUSTED_PROXIES": "1"}
    settings = project.read("swarm/app.env")
    for name, value in variables.items():
        settings = re.sub(f"(?m)^{name}=.*", f"{name}={value}", settings)
    settings += "".join(f"{name}={value}\n" for name, value in (RATES | FEW_LOGINS).items())
    (project.path / "swarm/app.env").write_text(settings, encoding="utf-8")
    images = [f"{REGISTRY}/library:{release}" for release in RELEASES]
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
            yield Swarm(nodes, project)
    finally:
        run("docker", "image", "rm", "--force", *images)


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
    create_secret(swarm, "database_url", f"postgres://app:app@{swarm.nodes[0].address}:5432/app")
    return swarm


def test_a_database_that_is_down_at_the_first_deployment_is_reported(with_secrets: Swarm) -> None:
    swarm = with_secrets
    swarm.docker("stop", "database")
    try:
        output = swarm.deploy("1", status=1)
    finally:
        swarm.docker("start", "database")
        wait_until(lambda: "accepting" in swarm.docker("exec", "database", "pg_isready", check=False), "PostgreSQL")
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
    output = swarm.deploy("1")
    swarm.python(f"""
from django.contrib.auth import get_user_model
get_user_model().objects.create_superuser("tester", password="{PASSWORD}")
""")
    login = {"username": "tester", "password": PASSWORD}
    response = httpx.post(f"http://{swarm.nodes[0].address}/api/v1/auth/token/", json=login, timeout=60)
    headers = {"Authorization": f"Token {response.json()['token']}"}
    return Deployed(swarm.nodes, swarm.project, output, headers)


def test_the_first_deployment_serves_on_every_node(deployed: Deployed) -> None:
    assert deployed.output.splitlines()[-1] == "Release 1 is serving."
    pages = [httpx.get(f"http://{node.address}/", timeout=60).status_code for node in deployed.nodes]
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
    tokens = [httpx.get(f"{url}/api/v1/auth/user/", headers=deployed.headers, timeout=60) for url in urls]
    assert {response.status_code for response in tokens} == {200}
    with httpx.Client(timeout=60) as browser:
        browser.get(f"{urls[0]}/admin/login/")
        form = {"username": "tester", "password": PASSWORD, "csrfmiddlewaretoken": browser.cookies["csrftoken"]}
        browser.post(f"{urls[0]}/admin/login/?next=/admin/", data=form)
        session = {"sessionid": browser.cookies["sessionid"]}
    assert all("Log out" in httpx.get(f"{url}/admin/", cookies=session, timeout=60).text for url in urls)
    login = {"username": "tester", "password": "wrong"}
    failed = [httpx.post(f"{url}/api/v1/auth/token/", json=login, timeout=60).status_code for url in urls]
    # Ten failed attempts a day.
    assert failed.count(429) == 2


@pytest.mark.parametrize("release", ["2", "1"])
def test_an_update_fails_none_of_three_thousand_requests(deployed: Deployed, release: str) -> None:
    with clients(deployed.nodes, deployed.headers) as load:
        load.wait_for(100)
        output = deployed.deploy(release)
        load.wait_for(3000 - len(load.requests))
    assert output.splitlines()[-1] == f"Release {release} is serving."
    assert deployed.releases() == {release}
    assert load.failed("GET", "POST") == []
    assert load.acknowledged <= deployed.stored()


@pytest.mark.parametrize("release", ["does-not-start", "is-not-healthy"])
def test_a_broken_release_is_rolled_back_without_a_failed_request(deployed: Deployed, release: str) -> None:
    before = deployed.releases()
    deployed.project.edit("swarm/stack.yml", "start_period: 30s", "start_period: 5s")
    try:
        with clients(deployed.nodes, deployed.headers) as load:
            load.wait_for(50)
            output = deployed.deploy(release, status=1)
            load.wait_for(50)
    finally:
        deployed.project.edit("swarm/stack.yml", "start_period: 5s", "start_period: 30s")
    assert output.splitlines()[-1].endswith(f"Swarm rolled it back. Its old version is {SERVING}")
    assert deployed.releases() == before
    assert load.failed("GET", "POST") == []


def test_an_image_that_is_not_in_the_registry_changes_nothing(deployed: Deployed) -> None:
    before = deployed.replicas()
    output = deployed.deploy("nowhere", status=1)
    assert f"No such image: {REGISTRY}/library:nowhere" in output
    assert output.splitlines()[-1].endswith(SERVING)
    assert deployed.replicas() == before


def begin(swarm: Swarm) -> subprocess.Popen[str]:
    """Start a deployment, and return when it has its lock."""
    process = subprocess.Popen(
        ["sh", "swarm/deploy.sh", *swarm.releases()],
        cwd=swarm.project.path,
        env=environment(DOCKER_HOST=swarm.nodes[0].socket),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    wait_until(lambda: f"{swarm.name}_deployment" in swarm.docker("config", "ls"), "the lock")
    return process


def test_a_second_deployment_is_refused_while_one_runs(deployed: Deployed) -> None:
    first = begin(deployed)
    output = deployed.deploy("2", status=1)
    assert output.count("\n") == 1
    assert "another one is running" in output
    assert "is serving." in first.communicate(timeout=300)[0].splitlines()[-1]
    assert first.returncode == 0


def test_an_interrupted_deployment_gives_up_its_lock(deployed: Deployed) -> None:
    process = begin(deployed)
    process.send_signal(signal.SIGTERM)
    assert "it was interrupted" in process.communicate(timeout=300)[0].splitlines()[-1]
    assert process.returncode == 1
    assert f"{deployed.name}_deployment" not in deployed.docker("config", "ls")


def test_draining_a_node_fails_no_request(deployed: Deployed) -> None:
    drained, others = deployed.others_than_a_worker()
    with clients(others, deployed.headers) as load:
        load.wait_for(50)
        deployed.docker("node", "update", "--availability=drain", drained.name)
        try:
            wait_until(lambda: deployed.runs_on(others), "replicas on the other nodes")
        finally:
            deployed.docker("node", "update", "--availability=active", drained.name)
        load.wait_for(50)
    assert load.failed("GET", "POST") == []
    assert load.acknowledged <= deployed.stored()


def test_a_node_that_vanishes_fails_no_read_and_loses_no_acknowledged_write(deployed: Deployed) -> None:
    # The last test, because the managers need time to recover.
    lost, others = deployed.others_than_a_worker()
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
