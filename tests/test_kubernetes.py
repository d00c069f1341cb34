"""The Kubernetes add-on: taking it into a project, what its manifests hold, and a release."""

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from baking import AUTHOR, ROOT, Bake, BakedProject, environment, need
from manifests import ADDON, ANSWERS, OVERLAY, Manifests, kustomize, tool

FILES = {
    *("README.md", "deploy.sh", "base/kustomization.yaml", "base/migrate.yaml", "base/network.yaml", "base/web.yaml"),
    *("overlays/example/kustomization.yaml", "overlays/example/namespace.yaml"),
    *("overlays/example/ingress.yaml", "overlays/example/cache.yaml"),
}
VERSIONS = ["1.37", "1.36", "1.35"]
# The checks of checkov that the manifests do not pass, each with the reason.
EXCEPTIONS = {
    "CKV_K8S_11": "A limit of CPUs throttles the probes with the requests; a request is enough to share a node.",
    "CKV_K8S_15": "A tag is used once, so that pulling the image again would only add a way to fail.",
    "CKV_K8S_35": "With `envFrom` a key of the Secret is a setting, without an edit of the manifests.",
    "CKV_K8S_43": "The owner's release sets a tag or a digest; the example's image is a placeholder.",
}


def run(cwd: Path, *command: str, status: int = 0, **variables: str) -> str:
    """Run a command, check its exit status, and return its output."""
    process = subprocess.run(
        command,
        cwd=cwd,
        env=environment(**AUTHOR, **variables) | {"GIT_CONFIG_GLOBAL": "/dev/null"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert process.returncode == status, f"{command}: status {process.returncode}\n{process.stdout}"
    return process.stdout


def take_in(directory: Path, *answers: str, status: int = 0) -> str:
    """Run the command of the documentation in a directory."""
    command = ["cookiecutter", str(ROOT), "--directory", "addons/kubernetes", "--no-input", *answers]
    return run(directory, *command, status=status)


def contents(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "library").mkdir()
    (tmp_path / "library" / "pyproject.toml").write_text('[project]\nname = "city-library"\n', encoding="utf-8")
    return tmp_path / "library"


def test_the_add_on_adds_its_directory_alone_and_takes_the_name_from_the_project(project: Path) -> None:
    before = contents(project)
    assert take_in(project).splitlines()[-1].startswith("The manifests are in kubernetes.")
    after = contents(project)
    assert {name: after.pop(name) for name in before} == before
    assert set(after) == {f"kubernetes/{name}" for name in FILES}
    assert b"\nnamespace: city-library\n" in after[f"{OVERLAY}/kustomization.yaml"]
    assert not [name for name, text in after.items() if b"cookiecutter." in text]


def test_a_rendered_project_has_nothing_of_the_add_on(bake: Bake) -> None:
    assert not [name for name in bake().files if "kube" in name or "addon" in name]


REFUSED = {
    "no project": (["project_slug="], "project_slug: no pyproject.toml with a name is here."),
    "slug": (["project_slug=My Library"], "project_slug: 'My Library' is not a valid slug."),
    "image with a tag": (
        ["image=example.com/library:1"],
        "image: 'example.com/library:1' is not the name of an image.",
    ),
    "domain": (["domain=https://example.com"], "domain: 'https://example.com' is not a domain."),
    "path": (["folder=../kubernetes"], "folder: '../kubernetes' is not a valid name."),
    "existing directory": (["folder=core"], "folder: core exists."),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_bad_answer_is_one_line_and_leaves_nothing(project: Path, case: str) -> None:
    (project / "core").mkdir()
    (project / "core" / "views.py").write_text("mine", encoding="utf-8")
    before = contents(project)
    answers, message = REFUSED[case]
    output = take_in(project, *answers, status=1)
    assert output.count("\n") == 1
    assert output.startswith(message)
    assert contents(project) == before


def test_cruft_takes_the_add_on_in_and_merges_an_update(project: Path, tmp_path: Path) -> None:
    need(shutil.which("git"), "git")
    template = tmp_path / "template"
    shutil.copytree(ADDON, template / "addons" / "kubernetes", ignore=shutil.ignore_patterns("__pycache__"))

    def commit(directory: Path) -> None:
        for command in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message=One"]):
            run(directory, "git", *command)

    commit(template)
    create = ["cruft", "create", template.as_uri(), "--directory", "addons/kubernetes", "--no-input"]
    run(project, *create)
    commit(project)
    before = contents(project)
    assert run(project, *create, status=1).endswith('"kubernetes" directory already exists\n')
    assert contents(project) == before
    overlay, base = project / OVERLAY / "kustomization.yaml", project / "kubernetes" / "base" / "web.yaml"
    overlay.write_text(overlay.read_text(encoding="utf-8").replace('newTag: "1"', 'newTag: "7"'), encoding="utf-8")
    commit(project)
    newer = template / "addons" / "kubernetes" / "{{cookiecutter.folder}}" / "base" / "web.yaml"
    newer.write_text(newer.read_text(encoding="utf-8").replace("maxReplicas: 9", "maxReplicas: 8"), encoding="utf-8")
    commit(template)
    run(project, "cruft", "update", "--project-dir", "kubernetes", "--skip-apply-ask")
    assert 'newTag: "7"' in overlay.read_text(encoding="utf-8")
    assert "maxReplicas: 8" in base.read_text(encoding="utf-8")
    assert not list(project.rglob("*.rej"))


@pytest.mark.parametrize("version", VERSIONS)
def test_the_manifests_are_valid_in_this_version_of_kubernetes(
    manifests: Manifests, version: str, tmp_path: Path
) -> None:
    namespace = (manifests.project.path / OVERLAY / "namespace.yaml").read_text(encoding="utf-8")
    (tmp_path / "all.yaml").write_text(f"{namespace}---\n{manifests.text}", encoding="utf-8")
    command = ["kubernetes-validate", "--strict", "--kubernetes-version", version, str(tmp_path / "all.yaml")]
    output = tool("kubernetes-validate~=1.37.0", *command)
    assert output.count(" passed ") == len(list(manifests)) + 1


def test_the_policies_of_checkov_find_the_listed_exceptions_alone(manifests: Manifests, tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text(manifests.text, encoding="utf-8")
    command = ["checkov", "--framework=kubernetes", "--skip-download", "--output=json", "--compact", "--file"]
    report = json.loads(tool("checkov~=3.3", *command, str(tmp_path / "all.yaml"), status=1))
    assert report["summary"]["passed"] > 200
    assert {check["check_id"] for check in report["results"]["failed_checks"]} == set(EXCEPTIONS)


def test_a_changed_setting_changes_the_pods(manifests: Manifests, tmp_path: Path) -> None:
    before = manifests.container("Deployment", "web")["envFrom"]
    copy = BakedProject(tmp_path, {})
    shutil.copytree(manifests.project.path / "kubernetes", tmp_path / "kubernetes")
    copy.edit(f"{OVERLAY}/kustomization.yaml", "HTTPS=true", "HTTPS=false")
    after = Manifests(copy, kustomize(copy))
    assert after.container("Deployment", "web")["envFrom"] != before
    assert after.container("Job", "migrate")["envFrom"] == after.container("Deployment", "web")["envFrom"]


# What a release calls, and how a cluster responds.
KUBECTL = """#!/bin/sh
if [ "$1" = kustomize ]; then
    cat "$STATE/manifests"
    exit
fi
echo "$@" >> "$STATE/calls"
case "$*" in
*"get secret ${MISSING:-none}"*) ;;
*"get secret"*) printf c2VjcmV0 ;;
*"get job migrate"*) echo "${JOB:-SuccessCriteriaMet Complete}" ;;
*"rollout status"*) exit "${ROLLOUT:-0}" ;;
*apply*) cat > /dev/null ;;
esac
"""


@dataclass(frozen=True)
class Release:
    """`deploy.sh` with a stand-in for kubectl, whose calls it keeps."""

    directory: Path
    state: Path

    def run(self, overlay: str = "overlays/example", status: int = 0, **variables: str) -> str:
        path = f"{self.state}{os.pathsep}{os.environ['PATH']}"
        program = ["env", f"PATH={path}", f"STATE={self.state}", "sh", "deploy.sh", overlay]
        return run(self.directory, *program, status=status, **variables)

    @property
    def calls(self) -> list[str]:
        file = self.state / "calls"
        return file.read_text(encoding="utf-8").splitlines() if file.exists() else []


@pytest.fixture
def release(manifests: Manifests, tmp_path: Path) -> Release:
    (tmp_path / "manifests").write_text(manifests.text, encoding="utf-8")
    (tmp_path / "kubectl").write_text(KUBECTL, encoding="utf-8")
    (tmp_path / "kubectl").chmod(0o755)
    return Release(manifests.project.path / "kubernetes", tmp_path)


def test_a_release_migrates_once_and_then_replaces_the_pods(release: Release) -> None:
    assert release.run().splitlines()[-1] == "The new version is serving."
    assert release.calls == [
        f"--namespace library {call}"
        for call in (
            "get secret secrets --ignore-not-found --output jsonpath={.data.SECRET_KEY}",
            "get secret database-app --ignore-not-found --output jsonpath={.data.uri}",
            "delete job migrate --ignore-not-found",
            "apply --filename - --selector app.kubernetes.io/component!=web",
            'get job migrate --output jsonpath={.status.conditions[?(@.status=="True")].type}',
            "apply --filename - --selector app.kubernetes.io/component=web",
            "rollout status deployment/web",
        )
    ]


def test_a_failed_migration_ends_the_release_before_any_pod_is_replaced(release: Release) -> None:
    output = release.run(status=1, JOB="FailureTarget Failed")
    assert output == "The release failed: the database was not migrated. The old version is still serving.\n"
    assert "--namespace library logs job/migrate --tail 30" in release.calls
    assert not [call for call in release.calls if "component=web" in call or "rollout" in call]


def test_pods_that_do_not_become_ready_fail_the_release(release: Release) -> None:
    output = release.run(status=1, ROLLOUT="1")
    assert output.count("\n") == 1
    assert "rollout undo deployment/web" in output


INCOMPLETE = {
    "secret": ({"MISSING": "secrets"}, "the Secret secrets with the key SECRET_KEY is missing in library."),
    "database": ({"MISSING": "database-app"}, "the Secret database-app with the key uri is missing in library."),
    "overlay": ({"overlay": "overlays/prod"}, "'overlays/prod' is not an overlay."),
    "no overlay": ({"overlay": ""}, "'' is not an overlay."),
}


@pytest.mark.parametrize("case", INCOMPLETE)
def test_an_incomplete_release_is_one_line_and_changes_nothing(release: Release, case: str) -> None:
    variables, message = INCOMPLETE[case]
    output = release.run(status=1, **variables)
    assert output.count("\n") == 1
    assert output.startswith(f"The release failed: {message}")
    assert not [call for call in release.calls if "apply" in call or "delete" in call]


def test_a_placeholder_in_the_overlay_is_refused(release: Release) -> None:
    manifests = release.state / "manifests"
    manifests.write_text(manifests.read_text(encoding="utf-8").replace("library.test", "library.example.com"))
    assert release.run(status=1).startswith("The release failed: overlays/example still has example.com.")
    assert release.calls == []


def test_the_two_halves_of_a_release_hold_everything_that_they_need(manifests: Manifests) -> None:
    web = {(item["kind"]) for item in manifests if component(item) == "web"}
    first = {(item["kind"], item["metadata"]["name"]) for item in manifests if component(item) != "web"}
    assert web == {"Deployment", "Service", "PodDisruptionBudget", "HorizontalPodAutoscaler", "Ingress"}
    settings = manifests.container("Job", "migrate")["envFrom"][0]["configMapRef"]["name"]
    policies = {("NetworkPolicy", name) for name in ("project", "proxy-to-web", "cache")}
    assert (
        first
        == {("Job", "migrate"), ("ConfigMap", settings), ("Deployment", "cache"), ("Service", "cache")} | policies
    )


def component(item: dict[str, Any]) -> str:
    return str(item["metadata"]["labels"].get("app.kubernetes.io/component", ""))


def test_the_readme_creates_the_secrets_and_its_yaml_fits_the_manifests(manifests: Manifests) -> None:
    readme = manifests.project.read("kubernetes/README.md")
    assert "create secret generic secrets \\\n     --from-literal=SECRET_KEY=" in readme
    assert "create secret generic database-app --from-literal=uri=" in readme
    cluster, route = [yaml.safe_load(block) for block in re.findall(r"(?ms)^ *```yaml\n(.*?)```", readme)]
    assert f"{cluster['metadata']['name']}-app" == "database-app"
    assert cluster["metadata"]["namespace"] == manifests.get("Deployment", "web")["metadata"]["namespace"]
    [port] = manifests.get("Service", "web")["spec"]["ports"]
    assert route["spec"]["rules"] == [{"backendRefs": [{"name": "web", "port": port["port"]}]}]
    assert route["spec"]["hostnames"] == [ANSWERS["domain"]]
