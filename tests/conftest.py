"""Fixtures of the template's tests: baked projects, and real services."""

import signal
from collections.abc import Iterator
from typing import Any

import pytest
from baking import Bake, BakedProject, new_database, path_without, postgres_server

# Fixtures of the tests that need a Docker engine, of those that need a browser, and of the Kubernetes add-on.
pytest_plugins = ["containers", "browsing", "manifests"]

# A shell makes its background processes ignore Ctrl-C; the servers that the tests start must not inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def bake(cookies_session: Any) -> Bake:
    """A function that renders a project with these answers; without uv on the PATH, so that it makes no lock file."""

    def bake(**answers: Any) -> BakedProject:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PATH", path_without("uv"))
            result = cookies_session.bake(extra_context=answers)
        assert result.exception is None, repr(result.exception)
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
