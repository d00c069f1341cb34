"""What tests of users share."""

from types import SimpleNamespace
from typing import Any

import pytest


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The time of rate limits, which moves by `clock.now += seconds` alone; at first a minute, hour and day begin."""
    clock = SimpleNamespace(now=1_700_006_400.0)
    monkeypatch.setattr("core.rate_limits.time", SimpleNamespace(time=lambda: clock.now))
    return clock
