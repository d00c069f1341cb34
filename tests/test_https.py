"""HTTPS in front of a rendered project's containers, with certificates of several authorities."""

import contextlib
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from baking import PATIENCE, BakedProject, need, wait_until
from containers import UP, Stack, containers, patient, web

# Caddy gives a name below localhost a certificate of its own authority.
LOCAL = "library.localhost"
# An ACME server gives a certificate for this one, because the server's containers find it.
PUBLIC = "library.example"


def is_free(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_server(("0.0.0.0", port)):
        return True
    return False


@pytest.fixture(autouse=True)
def public_ports() -> None:
    """The ports of HTTP and HTTPS, which a web server of the machine may have, or another run of these tests."""
    need(is_free(80) and is_free(443), "the ports 80 and 443, and the right to use them")


@pytest.fixture
def local(stack: Stack) -> Iterator[Stack]:
    """Running containers without a domain; ports 80 and 443 are free again after the test."""
    yield stack
    stack.override.pop("configs", None)
    stack.compose("rm", "--stop", "--force", "https", DOMAIN=LOCAL)


def curl(domain: str, authority: Path, *arguments: str) -> str:
    """What curl prints; the domain is this machine's, and certificates are those of this authority.

    It tries again until PATIENCE, because a proxy that was just started does not listen yet.
    """
    names = [option for port in (80, 443) for option in ("--resolve", f"{domain}:{port}:127.0.0.1")]
    limits = ["--max-time", "--retry-max-time", "--retry"]
    retries = [*(text for limit in limits for text in (limit, str(PATIENCE))), "--retry-delay", "1"]
    command = ["curl", "--silent", "--show-error", "--retry-all-errors", *retries, "--cacert", str(authority)]
    process = subprocess.run([*command, *names, *arguments], check=False, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    return process.stdout


def wait_for_log(stack: Stack, service: str, text: str, **variables: Any) -> None:
    wait_until(lambda: text in stack.compose("logs", "--no-log-prefix", service, **variables), f"{text!r} in the log")


def with_options(project: BakedProject, *options: str) -> dict[str, Any]:
    """The proxy's configuration with these global options."""
    content = patient(project)["Caddyfile"]["content"]
    assert content.startswith("{\n")
    return {"Caddyfile": {"content": "\n".join(["{", *options, content.removeprefix("{\n")])}}


def test_a_domain_alone_switches_https_on(local: Stack) -> None:
    local.up(DOMAIN=LOCAL)
    wait_for_log(local, "https", "certificate obtained successfully", DOMAIN=LOCAL)
    authority = local.project.path.parent / f"{local.name}.crt"
    local.compose("cp", "https:/data/caddy/pki/authorities/local/root.crt", str(authority), DOMAIN=LOCAL)
    headers = curl(LOCAL, authority, "--dump-header", "-", "--output", "/dev/null", f"https://{LOCAL}/admin/login/")
    assert headers.startswith("HTTP/2 200")
    assert "strict-transport-security: max-age=" in headers
    assert re.search("set-cookie: csrftoken=.*; Secure", headers)
    redirect = curl(LOCAL, authority, "--dump-header", "-", f"http://{LOCAL}/admin/")
    assert redirect.startswith("HTTP/1.1 308")
    assert f"Location: https://{LOCAL}/admin/" in redirect
    assert f'"https://{LOCAL}/api/v1/books/"' in curl(LOCAL, authority, f"https://{LOCAL}/api/")
    # The local port keeps working.
    assert local.get("/").status_code == 200


def test_without_its_ports_or_a_certificate_the_stack_serves_locally(local: Stack) -> None:
    local.up("web", "proxy", DOMAIN=LOCAL)
    with socket.create_server(("0.0.0.0", 443)):
        output = local.compose(*UP, status=1, DOMAIN=LOCAL)
        assert re.search("443.*(address already in use|port is already allocated)", output)
        assert local.get("/").status_code == 200
    # No authority responds, and none could find a name that is never registered.
    local.override["configs"] = with_options(local.project, "  acme_ca https://127.0.0.1:1/directory")
    local.up(DOMAIN="library.invalid")
    assert local.get("/").status_code == 200
    wait_for_log(local, "https", "could not get certificate", DOMAIN="library.invalid")


@pytest.fixture
def acme(project: BakedProject, tmp_path: Path) -> Iterator[Stack]:
    """A stack beside an ACME server, which issues certificates as Let's Encrypt does, for domains that it finds."""
    pebble = shutil.which("pebble")
    need(pebble, "pebble")
    assert pebble
    folder = tmp_path / "acme"
    folder.mkdir()
    # The names and options of Debian's package; ports 80 and 443 are where challenges are answered.
    (folder / "config.json").write_text(
        '{"pebble": {"listenAddress": "0.0.0.0:14000", "managementListenAddress": "0.0.0.0:15000", "httpPort": 80,'
        ' "tlsPort": 443, "certificate": "/acme/pebble.crt", "privateKey": "/acme/pebble.key"}}',
        encoding="utf-8",
    )
    certificate = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=pebble"]
    certificate += ["-addext", "subjectAltName=DNS:pebble", "-keyout", "pebble.key", "-out", "pebble.crt"]
    subprocess.run(certificate, cwd=folder, check=True, capture_output=True)
    (folder / "pebble.key").chmod(0o644)
    options = ("  acme_ca https://pebble:14000/dir", "  acme_ca_root /acme/pebble.crt")
    mount = {"volumes": [f"{folder}:/acme:ro"]}
    server = {
        "image": "caddy:2",
        "entrypoint": ["/pebble", "-config", "/acme/config.json"],
        # It would reject good requests now and then, and wait for seconds, to exercise its clients.
        "environment": {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0"},
        "volumes": [f"{pebble}:/pebble:ro", f"{folder}:/acme:ro"],
    }
    names = {"networks": {"default": {"aliases": [PUBLIC]}}}
    services = web() | {"pebble": server, "proxy": mount, "https": mount | names}
    with containers(project, services=services, configs=with_options(project, *options)) as stack:
        yield stack


def test_a_certificate_comes_from_an_acme_server_and_outlives_the_containers(acme: Stack, tmp_path: Path) -> None:
    acme.up(DOMAIN=PUBLIC)
    wait_for_log(acme, "https", "certificate obtained successfully", DOMAIN=PUBLIC)
    authority = tmp_path / "root.pem"
    code = "import ssl, urllib.request as r; print(r.urlopen('https://pebble:15000/roots/0', "
    code += "context=ssl._create_unverified_context()).read().decode())"
    authority.write_text(acme.compose("exec", "-T", "web", "python", "-c", code, DOMAIN=PUBLIC), encoding="utf-8")
    assert curl(PUBLIC, authority, f"https://{PUBLIC}/health/live") == '{"status": "ok"}'
    acme.up("--force-recreate", "--no-deps", "https", DOMAIN=PUBLIC)
    assert curl(PUBLIC, authority, f"https://{PUBLIC}/health/live") == '{"status": "ok"}'
    assert "obtaining certificate" not in acme.compose("logs", "https", DOMAIN=PUBLIC)
