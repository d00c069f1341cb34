"""Fixtures of the template's tests: baking a project, and real services that it is used with."""

import signal
from collections.abc import Iterator
from typing import Any

import pytest
from baking import Bake, BakedProject, new_database, path_without, postgres_server
from httpx._config import DEFAULT_TIMEOUT_CONFIG

# Fixtures of the tests that need a Docker engine.
pytest_plugins = ["containers"]

# Seconds. A busy machine may need more than the five of httpx.
DEFAULT_TIMEOUT_CONFIG.connect = DEFAULT_TIMEOUT_CONFIG.read = DEFAULT_TIMEOUT_CONFIG.write = 60

# A shell lets what it starts in the background ignore Ctrl-C, and so all that the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def bake(cookies_session: Any) -> Bake:
    """A function that renders a project with these answers; without uv on the PATH, so that nothing is locked."""

    def bake(**answers: Any) -> BakedProject:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PATH", path_without("uv"))
            result = cookies_session.bake(extra_context=answers)
        assert result.exception is None, repr(result.exception)
        return BakedProject(result.project_path, answers)

    return bake


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a PostgreSQL server of the tests' own, without a database's name at its end."""
    with postgres_server() as address:
        yield address


@pytest.fixture
def postgres_url(postgres: str) -> str:
    """The address of an empty database."""
    return new_database(postgres)
