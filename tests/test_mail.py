"""Mails through a real SMTP server on the loopback interface."""

import re
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword
from baking import PATIENCE, Bake, BakedProject, HTTPClient, free_port, http_get, http_post, need, running

VARIABLES = {"DEBUG": "false", "HTTPS": "false", "DEFAULT_FROM_EMAIL": "Library <library@example.com>"}
OLD, NEW = "quiet-reading-room", "loud-reading-room"
READER = f"from accounts.models import User; User.objects.create_user('reader', 'reader@example.com', '{OLD}')"


class Mailbox:
    """What an SMTP server does with mails: it keeps them."""

    def __init__(self) -> None:
        self.messages: list[Any] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:  # noqa: ARG002, N802  # as aiosmtpd calls it
        assert isinstance(envelope.content, bytes)
        self.messages.append(message_from_bytes(envelope.content, _class=EmailMessage, policy=policy.default))
        return "250 OK"


@contextmanager
def smtp_server(mailbox: Mailbox, **options: Any) -> Iterator[int]:
    """Run an SMTP server, and yield its port."""
    controller = Controller(mailbox, hostname="127.0.0.1", port=free_port(), ready_timeout=PATIENCE, **options)
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()


@pytest.fixture(scope="module")
def project(bake: Bake) -> BakedProject:
    """A project in production, whose database has a reader."""
    project = bake()
    limit = f'"timeout": env.int("MAIL_TIMEOUT", {PATIENCE}),\n}}'
    project.edit("django_project/settings.py", '"timeout": 10,\n}', limit)
    project.manage("collectstatic", "--noinput", **VARIABLES)
    project.manage("migrate", **VARIABLES)
    project.manage("shell", "--command", READER, **VARIABLES)
    return project


@contextmanager
def serving(project: BakedProject, mail_port: int, **more: str) -> Iterator[str]:
    """Serve the project with this SMTP server, and yield its address."""
    address = f"http://127.0.0.1:{(port := free_port())}"
    command = ["gunicorn", "django_project.wsgi", "--bind", f"127.0.0.1:{port}"]
    variables = {**VARIABLES, "EMAIL_URL": f"smtp://127.0.0.1:{mail_port}", **more}
    with running(command, project.path, f"{address}/health/live", **variables):
        yield address


def send(browser: Any, url: str, **fields: str) -> Any:
    """Fill in the form of a page and send it; return the page that follows."""
    page = browser.get(url)
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)
    assert token, page.text
    return browser.post(str(page.url), data={"csrfmiddlewaretoken": token[1], **fields})


def api_status(address: str, token: str) -> int:
    """The status of a request to the API with this token."""
    return http_get(f"{address}/api/v1/auth/user/", headers={"authorization": f"Token {token}"}).status_code


def test_a_forgotten_password_is_reset_by_mail_and_ends_sessions_and_tokens(project: BakedProject) -> None:
    mailbox = Mailbox()
    with smtp_server(mailbox) as port, serving(project, port) as address:
        login, token_url = f"{address}/accounts/login/", f"{address}/api/v1/auth/token/"
        with HTTPClient(follow_redirects=True) as logged_in, HTTPClient(follow_redirects=True) as browser:
            send(logged_in, login, username="reader", password=OLD)
            change = f"{address}/accounts/password_change/"
            assert "<h1>Password change</h1>" in logged_in.get(change).text
            token = http_post(token_url, json={"username": "reader", "password": OLD}).json()["token"]
            assert api_status(address, token) == 200

            form = re.search(r'href="([^"]+)">Forgotten your password', browser.get(login).text)
            assert form
            sent = send(browser, address + form[1], email="reader@example.com")
            assert "<h1>Password reset sent</h1>" in sent.text
            [message] = mailbox.messages
            assert (message["to"], message["from"]) == ("reader@example.com", "Library <library@example.com>")
            assert message["subject"] == "New password for Library"
            assert message.get_content_type() == "text/plain"
            [link] = re.findall(r"http\S+", message.get_content())
            assert link.startswith(f"{address}/accounts/reset/")
            assert api_status(address, token) == 200

            complete = send(browser, link, new_password1=NEW, new_password2=NEW)
            assert "<h1>Password reset complete</h1>" in complete.text
            assert "<h1>Log in</h1>" in logged_in.get(change).text
            assert api_status(address, token) == 401
            assert "This link is wrong" in browser.get(link).text
            for password, status in ((OLD, 401), (NEW, 200)):
                credentials = {"username": "reader", "password": password}
                assert http_post(token_url, json=credentials).status_code == status
            assert "<h1>Log in</h1>" not in send(browser, login, username="reader", password=NEW).text


@pytest.mark.parametrize("state", ["down", "silent"])
def test_a_mail_server_that_is_down_or_silent_costs_the_visitor_no_more_than_a_moment(
    project: BakedProject, state: str
) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        if state == "silent":
            # Connections are accepted, and no greeting follows.
            server.listen()
        port = server.getsockname()[1]
        with serving(project, port, MAIL_TIMEOUT="1") as address, HTTPClient(follow_redirects=True) as browser:
            sent = send(browser, f"{address}/accounts/password_reset/", email="reader@example.com")
            assert "<h1>Password reset sent</h1>" in sent.text
    log = (project.path.parent / f"{project.path.name}-server.log").read_text(encoding="utf-8")
    assert "Failed to send password reset email" in log
    assert {"down": "ConnectionRefusedError", "silent": "TimeoutError"}[state] in log


def test_a_process_goes_on_while_one_of_its_requests_waits_for_the_mail_server(project: BakedProject) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as visitor:
        server.settimeout(PATIENCE)
        port = server.getsockname()[1]
        with serving(project, port, WEB_CONCURRENCY="1") as address, HTTPClient(follow_redirects=True) as browser:
            url = f"{address}/accounts/password_reset/"
            sent = visitor.submit(send, browser, url, email="reader@example.com")
            connection, _ = server.accept()
            # No greeting follows until the end of the block.
            with connection:
                assert http_get(f"{address}/health/live").status_code == 200
                assert not sent.done()
            assert "<h1>Password reset sent</h1>" in sent.result().text


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for localhost, with its key in the same file."""
    openssl = shutil.which("openssl")
    need(openssl, "openssl")
    assert openssl
    file = tmp_path / "certificate.pem"
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    options = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *names, "-keyout", str(file), "-out", "-"]
    made = subprocess.run([openssl, "req", *options], check=True, capture_output=True)
    with file.open("ab") as pem:
        pem.write(made.stdout)
    return file


def login_of(server: Any, session: Any, envelope: Any, mechanism: str, credentials: LoginPassword) -> AuthResult:
    """Accept one user, whose name and password need encoding in a URL."""
    return AuthResult(success=credentials == LoginPassword(b"me@example.com", b"p#ss/w@rd"))


# aiosmtpd does not see that the whole connection is encrypted with `smtps`.
@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
@pytest.mark.parametrize("scheme", ["submission", "smtps"])
def test_a_mail_is_sent_over_tls_with_a_user_and_a_password(
    project: BakedProject, certificate: Path, scheme: str
) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    tls: dict[str, Any] = (
        {"tls_context": context, "require_starttls": True} if scheme == "submission" else {"ssl_context": context}
    )
    mailbox = Mailbox()
    url = f"{scheme}://me%40example.com:p%23ss%2Fw%40rd@localhost"
    options = {"auth_required": True, "authenticator": login_of, "auth_require_tls": scheme == "submission", **tls}
    with smtp_server(mailbox, **options) as port:
        variables = {**VARIABLES, "EMAIL_URL": f"{url}:{port}", "SSL_CERT_FILE": str(certificate)}
        project.manage("sendtestemail", "reader@example.com", **variables)
        [message] = mailbox.messages
        assert message["from"] == "Library <library@example.com>"
        # Without its certificate the server could be another one.
        del variables["SSL_CERT_FILE"]
        assert "CERTIFICATE_VERIFY_FAILED" in project.manage("sendtestemail", "x@example.com", status=1, **variables)
    assert len(mailbox.messages) == 1


def test_mails_are_printed_in_development(project: BakedProject) -> None:
    assert "Subject: Test email from" in project.manage("sendtestemail", "reader@example.com")
