"""Fixtures of the template's tests: baked projects, and real services."""

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from baking import Bake, BakedProject, new_database, path_without, postgres_server

# Fixtures of the tests that need a Docker engine, of those that need a browser, and of the Kubernetes add-on.
pytest_plugins = ["containers", "browsing", "manifests"]

# A shell makes its background processes ignore Ctrl-C; the servers that the tests start must not inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


# The files that take longest, in the order in which they begin, so that no process has one to itself at the end.
LONGEST = [
    *("test_containers", "test_mutations", "test_deploy", "test_readme", "test_own_app", "test_startapp"),
    *("test_swarm", "test_operate_containers", "test_first_week", "test_versions", "test_proxy", "test_tour"),
    *("test_served", "test_pages", "test_drf_guide", "test_browser", "test_answers_accepted", "test_api_served"),
]


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Two processes for each CPU: half of the tests wait for containers."""
    return min(16, 2 * (os.cpu_count() or 1))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the files for `--dist loadfile --no-loadscope-reorder`, which runs each of them in one process."""
    order = [*LONGEST, "others"]
    items.sort(key=lambda item: order.index(item.path.stem if item.path.stem in order else "others"))


@pytest.fixture(scope="session", autouse=True)
def _mypy_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let all checks in this process reuse what mypy knows of the dependencies."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MYPY_CACHE_DIR", str(tmp_path_factory.mktemp("mypy")))
        yield


@pytest.fixture(scope="session")
def bake(cookies_session: Any) -> Bake:
    """A function that renders a project with these answers; without uv on the PATH, so that it makes no lock file."""

    def bake(**answers: Any) -> BakedProject:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PATH", path_without("uv"))
            result = cookies_session.bake(extra_context=answers)
        if result.exception:
            # pytest shows below it what Cookiecutter and the hooks have printed.
            pytest.fail(f"{answers} cannot be rendered: {result.exception!r}", pytrace=False)
        return BakedProject(result.project_path, answers)

    return bake


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL server, without the name of a database."""
    with postgres_server() as address:
        yield address


@pytest.fixture
def postgres_url(postgres: str) -> str:
    """The URL of a new database."""
    return new_database(postgres)
