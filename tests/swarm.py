"""Three Docker engines of their own, joined as a swarm: fixtures and helpers of the tests that need one.

Each engine runs in namespaces of its own for the network, processes, mounts and host name, so that it is a machine for
the others, and so that nothing is left when its first process is killed.
"""

import contextlib
import ipaddress
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from baking import PATIENCE, HTTPClient, environment, http_get, need
from containers import new_book

# https://www.rfc-editor.org/rfc/rfc2544: for tests of networks, so that no machine has its own address there.
TEST_NETWORKS = ipaddress.ip_network("198.18.0.0/15").subnets(new_prefix=24)


PROGRAMS = ("ip", "iptables", "nsenter", "setpriv", "unshare")


def run(*command: str, check: bool = True) -> str:
    """Run a command, and return its output with its errors."""
    process = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert not check or process.returncode == 0, f"{' '.join(command)}: {process.returncode}\n{process.stdout}"
    return process.stdout


def wait_until(condition: Callable[[], object], what: str) -> None:
    """Return when the condition is true; fail if it never is."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"not within {PATIENCE} s: {what}"
        time.sleep(0.2)


@dataclass(frozen=True)
class Node:
    """An engine in namespaces of its own."""

    name: str
    address: str
    # The end of its cable at the bridge.
    cable: str
    directory: Path

    @property
    def socket(self) -> str:
        return f"unix://{self.directory}/docker.sock"

    def docker(self, *arguments: str, check: bool = True) -> str:
        return run("docker", "--host", self.socket, *arguments, check=check).strip()

    def ask(self, *arguments: str) -> str:
        """What a manager responds. Without a leader it refuses, for seconds."""
        end = time.monotonic() + PATIENCE
        while True:
            try:
                return self.docker(*arguments)
            except AssertionError:
                if time.monotonic() > end:
                    raise
            time.sleep(0.2)

    def is_up(self) -> bool:
        return "Server Version" in self.docker("info", check=False)

    def is_manager(self) -> bool:
        return self.docker("info", "--format={{.Swarm.LocalNodeState}} {{.Swarm.ControlAvailable}}") == "active true"

    def responds(self) -> bool:
        """Whether there is a response by HTTP, whatever it is."""
        with contextlib.suppress(httpx.TransportError):
            http_get(f"http://{self.address}/")
            return True
        return False

    def unplug(self) -> None:
        """Let the machine vanish: it gets and sends nothing any more."""
        run("ip", "link", "set", self.cable, "down")

    def plug_in(self) -> None:
        run("ip", "link", "set", self.cable, "up")


def engine_program() -> Path | None:
    """The program of the engine that is running."""
    for program in Path("/proc").glob("[0-9]*/exe"):
        with contextlib.suppress(OSError):
            if program.readlink().name == "dockerd":
                return program.readlink()
    return None


def free_network() -> ipaddress.IPv4Network:
    """A network to which the machine has no route."""
    routes = run("ip", "-4", "route")
    for network in TEST_NETWORKS:
        if str(network.network_address) not in routes:
            assert isinstance(network, ipaddress.IPv4Network)
            return network
    raise AssertionError("no free network")


@contextlib.contextmanager
def engines(count: int = 3) -> Iterator[list[Node]]:
    """Engines on one bridge, which are gone at the end with all that they run."""
    program = engine_program()
    need(os.geteuid() == 0, "root, to make network namespaces")
    need(all(map(shutil.which, PROGRAMS)), ", ".join(PROGRAMS))
    need(program, "a running Docker engine")
    assert program
    name = f"sw{uuid.uuid4().hex[:6]}"
    network = free_network()
    hosts = list(network.hosts())
    forwarding = ["FORWARD", "-i", name, "-o", name, "-j", "ACCEPT"]
    directory = Path(tempfile.mkdtemp(prefix="swarm-"))
    with contextlib.ExitStack() as stack:
        stack.callback(remove, directory, name)
        namespaces = subprocess.run(["ip", "link", "add", name, "type", "bridge"], check=False, capture_output=True)
        need(namespaces.returncode == 0, "a kernel with bridges")
        stack.callback(run, "ip", "link", "delete", name, check=False)
        run("ip", "address", "add", f"{hosts[0]}/24", "dev", name)
        run("ip", "link", "set", name, "up")
        run("iptables", "--wait", "-I", *forwarding)
        stack.callback(run, "iptables", "--wait", "-D", *forwarding, check=False)
        nodes = [Node(f"node{n}", str(hosts[n]), f"{name}{n}", directory / str(n)) for n in range(1, count + 1)]
        for node in nodes:
            start_engine(node, name, program, stack)
        for node in nodes:
            wait_until(node.is_up, "an engine")
        yield nodes


def start_engine(node: Node, bridge: str, program: Path, stack: contextlib.ExitStack) -> None:
    """Start an engine in a new network namespace that a cable connects to the bridge."""
    node.directory.mkdir()
    namespace = node.cable
    run("ip", "netns", "add", namespace)
    stack.callback(run, "ip", "netns", "delete", namespace, check=False)
    run("ip", "link", "add", node.cable, "type", "veth", "peer", "name", "eth0", "netns", namespace)
    run("ip", "link", "set", node.cable, "master", bridge, "up")
    inside = ["ip", "netns", "exec", namespace]
    run(*inside, "ip", "link", "set", "lo", "up")
    run(*inside, "ip", "address", "add", f"{node.address}/24", "dev", "eth0")
    run(*inside, "ip", "link", "set", "eth0", "up")
    # An empty /run hides the sockets of the machine's own engine. Data in memory is gone with the mount.
    script = f"""
mkdir {node.directory}/data && mount -t tmpfs tmpfs {node.directory}/data && mount -t tmpfs tmpfs /run &&
hostname {node.name} && exec {program} --data-root {node.directory}/data --host {node.socket} --cgroup-parent /{bridge}
"""
    # The engine ends with the tests, even if they are killed.
    enter = f"setpriv --pdeathsig=KILL nsenter --net=/run/netns/{namespace}"
    isolate = "unshare --uts --mount --pid --fork --kill-child --mount-proc"
    variables = environment()
    variables["PATH"] = f"{program.parent}:{variables['PATH']}"
    with (node.directory / "log").open("w") as log:
        process = subprocess.Popen(
            [*enter.split(), *isolate.split(), "sh", "-c", script], stdout=log, stderr=log, env=variables
        )
    stack.callback(kill, process)


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill the first process of an engine's namespaces, and with it all the others."""
    process.send_signal(signal.SIGKILL)
    process.wait()


def remove(directory: Path, control_group: str) -> None:
    """Remove what killed engines leave: empty directories, and the control groups of their containers."""
    root = Path("/sys/fs/cgroup")
    # One per controller in version 1 of control groups, a single one in version 2.
    groups = [*root.glob(control_group), *root.glob(f"*/{control_group}")]

    def empty() -> bool:
        for group in groups:
            for child in sorted(filter(Path.is_dir, group.rglob("*")), reverse=True):
                with contextlib.suppress(OSError):
                    child.rmdir()
            with contextlib.suppress(OSError):
                group.rmdir()
        return not any(map(Path.exists, groups))

    wait_until(empty, "the end of the last process")
    shutil.rmtree(directory)


def join(nodes: list[Node]) -> None:
    """Join the engines as a swarm of managers."""
    first, *others = nodes
    enter(first, "init")
    token = first.ask("swarm", "join-token", "--quiet", "manager")
    for node in others:
        enter(node, "join", "--token", token, f"{first.address}:2377")


def enter(node: Node, *command: str) -> None:
    """Make the node a manager. Docker continues in the background if that takes it longer than twenty seconds."""
    output = node.docker("swarm", command[0], "--advertise-addr", node.address, *command[1:], check=False)
    wait_until(node.is_manager, f"a manager: {output}")


def load_images(nodes: list[Node], *images: str) -> None:
    """Copy images of the machine's own engine to the nodes, which have no registry."""
    archive = nodes[0].directory.parent / "images.tar"
    run("docker", "save", "--output", str(archive), *images)
    loading = [
        subprocess.Popen(["docker", "--host", node.socket, "load", "--quiet", "--input", str(archive)], stdout=-3)
        for node in nodes
    ]
    assert [process.wait() for process in loading] == [0] * len(nodes)
    archive.unlink()


@dataclass(frozen=True)
class Request:
    """What a client has got: a status, or the error instead of a response."""

    method: str
    status: int | str


@dataclass
class Load:
    """The requests of four clients, and the ISBNs of the books whose creation was acknowledged."""

    requests: list[Request] = field(default_factory=list)
    acknowledged: set[str] = field(default_factory=set)
    stop: threading.Event = field(default_factory=threading.Event)

    def failed(self, *methods: str) -> list[Request]:
        """The requests without the status that they should have."""
        good = {"GET": 200, "POST": 201}
        return [
            request
            for request in self.requests
            if request.method in methods and request.status != good[request.method]
        ]

    def wait_for(self, count: int) -> None:
        """Wait until the clients have sent so many requests from now on."""
        goal = len(self.requests) + count
        while len(self.requests) < goal:
            self.wait_for_more_than(len(self.requests))

    def wait_for_more_than(self, count: int) -> None:
        wait_until(lambda: len(self.requests) > count, "another request")


@contextlib.contextmanager
def clients(nodes: list[Node], headers: dict[str, str]) -> Iterator[Load]:
    """Read and create books during the block: two clients each, which take the nodes in turn."""
    load = Load()

    def send(method: str, client: httpx.Client, node: Node) -> int:
        url = f"http://{node.address}/api/v1/books/"
        if method == "GET":
            return client.get(url).status_code
        book = new_book()
        status = client.post(url, json=book, headers=headers).status_code
        if status == httpx.codes.CREATED:
            load.acknowledged.add(book["isbn"])
        return status

    def run_client(method: str) -> None:
        with HTTPClient() as client:
            for node in itertools.cycle(nodes):
                try:
                    status: int | str = send(method, client, node)
                except httpx.HTTPError as error:
                    status = repr(error)
                load.requests.append(Request(method, status))
                if load.stop.wait(0.002):
                    return

    threads = [threading.Thread(target=run_client, args=(method,)) for method in ("GET", "GET", "POST", "POST")]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        load.stop.set()
        for thread in threads:
            thread.join()
