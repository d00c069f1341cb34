"""The probes of load balancers and orchestrators."""

import pytest
from django.core.cache.backends.locmem import LocMemCache
from django.db import DatabaseError, connection


def test_live_asks_neither_database_nor_cache(client):
    # Without the mark django_db, any query fails.
    response = client.get("/health/live")
    assert response.status_code == 200
    assert response.json() == {"status": "ok"}


@pytest.mark.django_db
def test_ready_says_that_database_and_cache_answer(client):
    response = client.get("/health/ready")
    assert response.status_code == 200
    assert response.json() == {"status": "ok", "checks": {"database": "ok", "cache": "ok"}}


@pytest.mark.django_db
def test_not_ready_while_the_database_does_not_answer(client, monkeypatch):
    def fail():
        raise DatabaseError

    monkeypatch.setattr(connection, "cursor", fail)
    response = client.get("/health/ready")
    assert response.status_code == 503
    assert response.json()["checks"] == {"database": "unavailable", "cache": "ok"}


@pytest.mark.django_db
def test_not_ready_while_the_cache_forgets(client, monkeypatch):
    monkeypatch.setattr(LocMemCache, "get", lambda *args, **options: None)
    response = client.get("/health/ready")
    assert response.status_code == 503
    assert response.json()["checks"] == {"database": "ok", "cache": "unavailable"}


def test_probes_may_use_any_host_name_and_plain_http(client, settings):
    settings.SECURE_SSL_REDIRECT = True
    assert client.get("/health/live", headers={"host": "10.0.0.7"}).status_code == 200
