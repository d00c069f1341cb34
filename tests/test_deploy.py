"""A new version replaces the running one in containers."""

import re

import pytest
from baking import BakedProject
from containers import Stack, build, containers, loading, stored, web


def deploy(stack: Stack, status: int = 0) -> str:
    return stack.project.run("sh", "deploy.sh", status=status, **stack.variables)


def test_a_new_version_replaces_the_old_one_without_a_failed_request(stack: Stack) -> None:
    headers = stack.token()
    stack.up("--scale", "web=2")
    before = stack.ids()
    name, old, new = "core/templates/base.html", "</body>", "<!-- deployed --></body>"
    stack.project.edit(name, old, new)
    try:
        with loading(stack, headers, pause=0.002) as responses:
            assert deploy(stack).splitlines()[-1] == "The new version is serving."
        assert "<!-- deployed -->" in stack.get().text
    finally:
        stack.project.edit(name, new, old)
        build(stack.project)
    after = stack.ids()
    assert len(before) == len(after) == 2
    assert not set(before) & set(after)
    assert stack.ids("web-next") == []
    assert len(responses.statuses) > 500
    assert set(responses.statuses) == {("GET", 200), ("POST", 201)}
    assert responses.acknowledged <= stored(stack)


BROKEN = {
    "does not build": ("Dockerfile", "WORKDIR /app\nCOPY --from", "RUN false\nWORKDIR /app\nCOPY --from"),
    "does not start": ("django_project/wsgi.py", "import os\n", 'import os\nraise SystemExit("broken")\n'),
    "is not ready": ("core/health.py", 'cursor.execute("SELECT 1")', 'cursor.execute("SELECT no")'),
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_a_broken_version_leaves_the_old_one_serving(stack: Stack, broken: tuple[str, str, str]) -> None:
    headers = stack.token()
    before = stack.ids()
    name, old, new = broken
    stack.project.edit(name, old, new)
    try:
        with loading(stack, headers, pause=0.01) as responses:
            output = deploy(stack, status=1)
    finally:
        stack.project.edit(name, new, old)
    last = output.splitlines()[-1]
    assert re.fullmatch(r"The deployment failed: .*\. The old version is still serving\.", last)
    assert stack.ids() == before
    assert stack.ids("web-next") == []
    assert set(responses.statuses) == {("GET", 200), ("POST", 201)}
    # The name of the image is the old version's again.
    stack.up()
    assert stack.ids() == before
    build(stack.project)


def test_an_interrupted_deployment_is_finished_by_the_next_one(stack: Stack) -> None:
    # As if the first one had been killed after it had switched the proxy.
    stack.compose("up", "--detach", "--wait", "--no-deps", "web-next")
    stack.compose("exec", "-T", "proxy", "sh", "-c", "cd /etc/caddy && echo web-next > next && mv next upstream")
    stack.compose("stop", "web")
    assert stack.get("/").status_code == 200
    deploy(stack)
    assert stack.ids("web-next") == []
    assert stack.get("/").status_code == 200


def test_without_running_containers_a_deployment_says_how_to_start(project: BakedProject) -> None:
    with containers(project, services=web()) as stack:
        output = deploy(stack, status=1)
    assert output.count("\n") == 1
    assert "docker compose up --build --wait" in output
