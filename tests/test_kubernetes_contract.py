"""What the Kubernetes manifests take for granted about the project holds, in its files and in a container.

These tests have no cluster. Instead, the image runs on Docker with exactly the user, environment, volumes and limits
of the manifests, and the tests call it as the kubelet and a proxy would.
"""

import contextlib
import http.client
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import yaml
from baking import PATIENCE, BakedProject, HTTPClient, http_get, wait_until
from containers import Stack, containers
from manifests import ANSWERS, Manifests

WEB, MIGRATE, CACHE = ("Deployment", "web"), ("Job", "migrate"), ("Deployment", "cache")
MEBIBYTE = {"Mi": 1, "M": 1, "Gi": 1024, "mb": 1}


def number(pattern: str, text: str) -> int:
    """The number that the pattern finds once in the text."""
    [found] = re.findall(pattern, text, re.MULTILINE)
    return int(found)


def variables(manifests: Manifests, kind: str, name: str) -> dict[str, str]:
    """The environment of a container, with `Secret.key` as the value of what comes from a Secret."""
    container = manifests.container(kind, name)
    result: dict[str, str] = {}
    for source in container["envFrom"]:
        if "configMapRef" in source:
            settings = manifests.get("ConfigMap", "settings")
            assert settings["metadata"]["name"] == source["configMapRef"]["name"]
            result |= settings["data"]
        else:
            result["SECRET_KEY"] = f"{source['secretRef']['name']}.SECRET_KEY"
    for item in container["env"]:
        reference = item.get("valueFrom", {}).get("secretKeyRef", {})
        result[item["name"]] = item.get("value", f"{reference.get('name')}.{reference.get('key')}")
    return result


@pytest.fixture(scope="module")
def compose(manifests: Manifests) -> dict[str, Any]:
    """The services of docker-compose.yml."""
    services: dict[str, Any] = yaml.safe_load(manifests.project.read("docker-compose.yml"))["services"]
    return services


def test_the_port_is_that_of_the_image_and_everything_leads_to_it(manifests: Manifests) -> None:
    dockerfile = manifests.project.read("Dockerfile")
    port = number(r"^EXPOSE (\d+)$", dockerfile)
    assert number(r'"--bind", "0\.0\.0\.0:(\d+)"', dockerfile) == port
    container = manifests.container(*WEB)
    assert container["ports"] == [{"name": "http", "containerPort": port}]
    assert "command" not in container
    assert "args" not in container
    [service] = manifests.get("Service", "web")["spec"]["ports"]
    assert service["targetPort"] == "http"
    [rule] = manifests.get("Ingress", "web")["spec"]["rules"]
    assert rule["http"]["paths"][0]["backend"]["service"] == {"name": "web", "port": {"name": service["name"]}}
    [allowed] = manifests.get("NetworkPolicy", "proxy-to-web")["spec"]["ingress"]
    assert allowed["ports"] == [{"protocol": "TCP", "port": "http"}]


@pytest.mark.parametrize("where", [WEB, MIGRATE, CACHE])
def test_the_pods_are_as_confined_as_the_containers_of_compose(
    manifests: Manifests, compose: dict[str, Any], where: tuple[str, str]
) -> None:
    pod, container, service = manifests.pod(*where), manifests.container(*where), compose[where[1]]
    user = service.get("user") or re.findall(r"(?m)^USER (\S+)$", manifests.project.read("Dockerfile"))[0]
    uid, gid = map(int, user.split(":"))
    identity = {"runAsNonRoot": True, "runAsUser": uid, "runAsGroup": gid}
    assert pod["securityContext"] == identity | {"seccompProfile": {"type": "RuntimeDefault"}}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": "no-new-privileges:true" not in service["security_opt"],
        "readOnlyRootFilesystem": service["read_only"],
        "capabilities": {"drop": service["cap_drop"]},
    }
    assert not pod["automountServiceAccountToken"]
    assert not pod["enableServiceLinks"]
    memory = service["deploy"]["resources"]["limits"]["memory"]
    assert megabytes(container["resources"]["limits"]["memory"]) == megabytes(memory)
    assert set(container["resources"]["limits"]) == {"memory"}
    assert set(container["resources"]["requests"]) == {"cpu", "memory"}


def megabytes(size: str) -> int:
    """The size, such as 512Mi or Docker's 512M, which are the same."""
    digits, unit = re.findall(r"^(\d+)(\w+)$", size)[0]
    return int(digits) * MEBIBYTE[unit]


def test_the_temporary_directory_is_that_of_compose(manifests: Manifests, compose: dict[str, Any]) -> None:
    [volume] = manifests.pod(*WEB)["volumes"]
    [mount] = manifests.container(*WEB)["volumeMounts"]
    path, size = compose["web"]["tmpfs"].split(":size=")
    assert mount == {"name": volume["name"], "mountPath": path}
    assert volume["emptyDir"]["medium"] == "Memory"
    assert megabytes(volume["emptyDir"]["sizeLimit"]) == megabytes(size)


def test_the_example_has_the_cache_of_compose(manifests: Manifests, compose: dict[str, Any]) -> None:
    container = manifests.container(*CACHE)
    assert container["image"] == compose["cache"]["image"]
    assert container["args"] == compose["cache"]["command"]
    [port] = manifests.get("Service", "cache")["spec"]["ports"]
    assert variables(manifests, *WEB)["CACHE_URL"] == f"redis://cache:{port['port']}/0"


def test_the_server_has_time_to_stop(manifests: Manifests) -> None:
    configuration = manifests.project.read("gunicorn.conf.py")
    graceful = number(r"^graceful_timeout = (\d+)$", configuration)
    sleep = manifests.container(*WEB)["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert manifests.pod(*WEB)["terminationGracePeriodSeconds"] >= sleep + graceful + 5
    keep_alive = number(r"^--keep-alive (\d+)$", variables(manifests, *WEB)["GUNICORN_CMD_ARGS"])
    assert keep_alive > number(r"^keepalive = (\d+)$", configuration)


def test_each_variable_is_one_that_the_project_reads(manifests: Manifests) -> None:
    settings = manifests.project.read("django_project/settings.py")
    read = set(re.findall(r'env\.\w+\(\s*"(\w+)"', settings))
    # gunicorn's own: https://gunicorn.org/reference/settings/
    read.add("GUNICORN_CMD_ARGS")
    web, migrate = variables(manifests, *WEB), variables(manifests, *MIGRATE)
    assert set(web) <= read
    assert {name: web[name] for name in migrate} == migrate
    assert set(web) - set(migrate) == {"WEB_CONCURRENCY", "GUNICORN_CMD_ARGS"}


def test_the_domain_is_the_same_everywhere(manifests: Manifests) -> None:
    ingress = manifests.get("Ingress", "web")["spec"]
    assert [rule["host"] for rule in ingress["rules"]] == [ANSWERS["domain"]]
    assert [entry["hosts"] for entry in ingress["tls"]] == [[ANSWERS["domain"]]]
    assert variables(manifests, *WEB)["ALLOWED_HOSTS"] == ANSWERS["domain"]


def test_all_pods_together_stay_below_the_connections_of_postgresql(manifests: Manifests) -> None:
    pool = number(r'"max_size": max\(1, min\((\d+),', manifests.project.read("django_project/settings.py"))
    processes = int(variables(manifests, *WEB)["WEB_CONCURRENCY"])
    deployment = manifests.get(*WEB)["spec"]
    autoscaler = manifests.get("HorizontalPodAutoscaler", "web")["spec"]
    # One more that stops, and the migration. PostgreSQL keeps 3 of its 100 connections for administrators.
    pods = autoscaler["maxReplicas"] + deployment["strategy"]["rollingUpdate"]["maxSurge"] + 1
    assert pods * processes * pool + pool <= 97


def test_the_selectors_find_the_pods(manifests: Manifests) -> None:
    deployment = manifests.get(*WEB)["spec"]
    labels, selector = deployment["template"]["metadata"]["labels"], deployment["selector"]["matchLabels"]
    assert selector.items() <= labels.items()
    assert manifests.get("Service", "web")["spec"]["selector"] == selector
    assert manifests.get("PodDisruptionBudget", "web")["spec"]["selector"]["matchLabels"] == selector
    assert manifests.get("NetworkPolicy", "proxy-to-web")["spec"]["podSelector"]["matchLabels"] == selector
    for constraint in manifests.pod(*WEB)["topologySpreadConstraints"]:
        assert constraint["labelSelector"]["matchLabels"] == selector
    target = manifests.get("HorizontalPodAutoscaler", "web")["spec"]["scaleTargetRef"]
    assert (target["kind"], target["name"]) == WEB


def test_an_update_and_a_drain_leave_pods_that_serve(manifests: Manifests) -> None:
    deployment = manifests.get(*WEB)["spec"]
    assert "replicas" not in deployment
    assert deployment["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    budget = manifests.get("PodDisruptionBudget", "web")["spec"]
    assert "minAvailable" not in budget
    assert 0 < budget["maxUnavailable"] < manifests.get("HorizontalPodAutoscaler", "web")["spec"]["minReplicas"]


@dataclass(frozen=True)
class Cluster:
    """The image with a database and a cache, on a network of Docker."""

    stack: Stack
    manifests: Manifests

    def run(self, where: tuple[str, str], *options: str, status: int = 0, **changed: str) -> str:
        """Run the container of a manifest as the kubelet would; returns the output of `docker run`."""
        pod, container = self.manifests.pod(*where), self.manifests.container(*where)
        security = pod["securityContext"] | container["securityContext"]
        command = [f"--user={security['runAsUser']}:{security['runAsGroup']}", *options]
        command += [f"--cap-drop={name}" for name in security["capabilities"]["drop"]]
        command += ["--read-only"] if security["readOnlyRootFilesystem"] else []
        command += [] if security["allowPrivilegeEscalation"] else ["--security-opt=no-new-privileges"]
        command += [f"--memory={megabytes(container['resources']['limits']['memory'])}m"]
        paths = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
        for volume in pod["volumes"]:
            command.append(f"--tmpfs={paths[volume['name']]}:size={megabytes(volume['emptyDir']['sizeLimit'])}m")
        [password] = re.findall(r"(?m)^POSTGRES_PASSWORD=(.+)$", self.stack.project.read(".env"))
        values = {"secrets.SECRET_KEY": "k" * 50, "database-app.uri": f"postgresql://app:{password}@db:5432/app"}
        for name, value in variables(self.manifests, *where).items():
            command.append(f"--env={name}={changed.get(name, values.get(value, value))}")
        image = self.stack.project.path.name
        network = f"--network={self.stack.name}_default"
        return self.stack.docker("run", network, *command, image, *container.get("command", []), status=status)

    @contextlib.contextmanager
    def server(self) -> Iterator["Server"]:
        """A container of `web`, for which the startup and the readiness probe have succeeded.

        It has more time for its requests than the project's, which a busy machine may exceed.
        """
        arguments = variables(self.manifests, *WEB)["GUNICORN_CMD_ARGS"]
        arguments += f" --timeout {PATIENCE} --graceful-timeout {PATIENCE}"
        container = self.run(WEB, "--detach", "--env=STATEMENT_TIMEOUT=0", GUNICORN_CMD_ARGS=arguments).strip()
        try:
            address = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
            ip = self.stack.docker("inspect", f"--format={address}", container).strip()
            [port] = self.manifests.container(*WEB)["ports"]
            server = Server(self, container, f"{ip}:{port['containerPort']}")
            server.wait()
            yield server
        finally:
            self.stack.docker("rm", "--force", container)


@dataclass(frozen=True)
class Server:
    """A container of `web`, at an IP address and a port."""

    cluster: Cluster
    container: str
    address: str

    def probe(self, name: str) -> int:
        """The status that a probe gets. The kubelet uses the IP address as the host name, and plain HTTP."""
        probe = self.cluster.manifests.container(*WEB)[name]
        url = f"http://{self.address}{probe['httpGet']['path']}"
        return http_get(url, headers={"User-Agent": "kube-probe/1.37"}).status_code

    def wait(self) -> None:
        end = time.monotonic() + PATIENCE
        for probe in ("startupProbe", "readinessProbe"):
            while True:
                with contextlib.suppress(httpx.TransportError):
                    if self.probe(probe) == 200:
                        break
                assert time.monotonic() < end, self.log()
                time.sleep(0.2)

    def log(self) -> str:
        return self.cluster.stack.docker("logs", self.container)

    def execute(self, *command: str, status: int = 0) -> str:
        return self.cluster.stack.docker("exec", self.container, *command, status=status)


@pytest.fixture(scope="module")
def cluster(project: BakedProject, manifests: Manifests) -> Iterator[Cluster]:
    with containers(project) as stack:
        stack.compose("--profile=cache", "up", "--wait", "--wait-timeout", str(PATIENCE), "db", "cache")
        cluster = Cluster(stack, manifests)
        assert "Applying accounts.0001_initial... OK" in cluster.run(MIGRATE, "--rm")
        yield cluster


@pytest.fixture(scope="module")
def server(cluster: Cluster) -> Iterator[Server]:
    with cluster.server() as server:
        yield server


def test_a_migration_that_cannot_run_fails_its_container(cluster: Cluster) -> None:
    output = cluster.run(MIGRATE, "--rm", status=1, DATABASE_URL="postgresql://app:wrong@db:5432/app")
    assert "password authentication failed" in output


def test_the_server_runs_as_the_manifests_confine_it(server: Server) -> None:
    assert server.execute("id", "-u").strip() == "10001"
    assert "Read-only file system" in server.execute("touch", "/app/note", status=1)
    server.execute("touch", "/tmp/note")
    assert "CapEff:\t0000000000000000" in server.execute("cat", "/proc/1/status")
    assert "NoNewPrivs:\t1" in server.execute("cat", "/proc/1/status")
    # One that starts the two processes, without an init process before it.
    assert "gunicorn" in server.execute("cat", "/proc/1/cmdline")
    children = ["cat", "/proc/1/task/1/children"]
    wait_until(lambda: len(server.execute(*children).split()) == 2, "two processes")


def test_without_the_database_a_server_is_not_ready_but_alive(server: Server) -> None:
    stack = server.cluster.stack
    stack.compose("stop", "db")
    try:
        assert server.probe("readinessProbe") == 503
        assert server.probe("livenessProbe") == 200
    finally:
        stack.compose("up", "--wait", "--wait-timeout", str(PATIENCE), "db")
    server.wait()


# The headers of a request that a proxy has received by HTTPS.
PROXIED = {"Host": ANSWERS["domain"], "X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.7"}


@dataclass
class Load:
    """Four clients of the servers, which a test may replace."""

    servers: tuple[Server, ...]
    # The addresses with the statuses, or with the errors instead of a response.
    results: list[tuple[str, object]] = field(default_factory=list)
    # How many requests each client has completed.
    completed: list[int] = field(default_factory=lambda: [0] * 4)

    def wait_for_each_client(self) -> None:
        """Wait until no client has a request in flight that it began before."""
        before = tuple(self.completed)
        wait_until(lambda: all(now > then for now, then in zip(self.completed, before, strict=True)), "more requests")

    def wait_for(self, server: Server) -> None:
        """Wait for 25 requests to a server."""
        wait_until(lambda: Counter(address for address, _ in self.results)[server.address] >= 25, "25 requests")


@contextlib.contextmanager
def loading(*servers: Server) -> Iterator[Load]:
    """Get a page during the block from each of the servers in turn, in four threads."""
    load = Load(servers)
    stop = threading.Event()

    def send(number: int) -> None:
        # Like a proxy, a client keeps its connections.
        with HTTPClient(headers=PROXIED) as client:
            while not stop.wait(0.02):
                now = load.servers
                address = now[(number + load.completed[number]) % len(now)].address
                try:
                    load.results.append((address, client.get(f"http://{address}/").status_code))
                except httpx.HTTPError as error:
                    load.results.append((address, repr(error)))
                load.completed[number] += 1

    threads = [threading.Thread(target=send, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def get(connection: http.client.HTTPConnection) -> int:
    connection.request("GET", "/", headers=PROXIED)
    response = connection.getresponse()
    response.read()
    return response.status


def test_a_pod_is_replaced_under_load_without_a_failed_request(cluster: Cluster, server: Server) -> None:
    sleep = cluster.manifests.container(*WEB)["lifecycle"]["preStop"]["sleep"]["seconds"]
    host, port = server.address.split(":")
    # Incomplete, so that no password is hashed.
    body = b'{"username": "nobody"}'
    head = "".join(f"{name}: {value}\r\n" for name, value in PROXIED.items()).encode()
    with contextlib.ExitStack() as cleanup, loading(server) as load:
        load.wait_for(server)
        new = cleanup.enter_context(cluster.server())
        load.servers = (server, new)
        idle = cleanup.enter_context(contextlib.closing(http.client.HTTPConnection(server.address, timeout=PATIENCE)))
        assert get(idle) == 200
        # The pod is deleted: preStop sleeps, and the proxy notices meanwhile.
        time.sleep(sleep)
        load.servers = (new,)
        # A connection that a proxy has kept idle is still open; http.client fails if it is not.
        assert get(idle) == 200
        load.wait_for_each_client()
        client = cleanup.enter_context(socket.create_connection((host, int(port)), timeout=PATIENCE))
        client.sendall(b"POST /api/v1/auth/token/ HTTP/1.1\r\nContent-Type: application/json\r\n" + head)
        client.sendall(b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body))
        assert client.recv(65536).startswith(b"HTTP/1.1 100"), "the request has not begun"
        cluster.stack.docker("kill", "--signal=TERM", server.container)
        wait_until(lambda: "Handling signal: term" in server.log(), "the signal")
        client.sendall(body)
        assert client.recv(65536).startswith(b"HTTP/1.1 400"), server.log()
        assert cluster.stack.docker("wait", server.container).strip() == "0"
        load.wait_for(new)
    assert {status for _, status in load.results} == {200}
