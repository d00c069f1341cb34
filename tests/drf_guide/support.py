"""What the idioms share: serializers, rows, and a client that follows the links of a list."""

import re
from datetime import UTC, datetime, timedelta

from guide.models import Article, Customer, Document, Line, Order, Tag
from rest_framework import serializers
from rest_framework.test import APIClient

START = datetime(2026, 1, 1, tzinfo=UTC)


class CustomerSerializer(serializers.ModelSerializer):
    class Meta:
        model = Customer
        fields = ["id", "name", "email"]


class OrderSerializer(serializers.ModelSerializer):
    class Meta:
        model = Order
        fields = ["id", "customer", "owner", "status", "total", "placed_at", "note", "gift", "tags"]
        read_only_fields = ["owner"]


class TagSerializer(serializers.ModelSerializer):
    class Meta:
        model = Tag
        fields = "__all__"


class LineSerializer(serializers.ModelSerializer):
    class Meta:
        model = Line
        fields = ["id", "order", "product", "quantity"]


class ArticleSerializer(serializers.ModelSerializer):
    class Meta:
        model = Article
        fields = ["title", "slug", "published", "data"]


class DocumentSerializer(serializers.ModelSerializer):
    class Meta:
        model = Document
        fields = ["id", "title", "file"]


def client_of(user):
    """A client that is signed in as this user; as nobody if it is None."""
    client = APIClient()
    client.force_authenticate(user=user)
    return client


def customer(name="Ada"):
    return Customer.objects.get_or_create(name=name, email=f"{name.lower().replace(' ', '.')}@example.com")[0]


def order(of=None, **values):
    return Order.objects.create(customer=of or customer(), **values)


def orders(count, **values):
    """So many orders, each placed an hour after the one before; every third one costs the same."""
    of = customer()
    return [
        order(of, placed_at=START + timedelta(hours=number), total=number % 3, **values) for number in range(count)
    ]


def follow(client, url):
    """All rows of a list, by the links to the next page; no row may come twice."""
    rows, pages = [], 0
    while url:
        response = client.get(url)
        assert response.status_code == 200, response.content
        rows += response.json()["results"]
        url = response.json()["next"]
        pages += 1
        assert pages < 50, "the links never end"
    ids = [row["id"] for row in rows]
    assert len(ids) == len(set(ids))
    return rows


def names(response, field="name"):
    """This field of the rows of a list's first page."""
    assert response.status_code == 200, response.content
    return [row[field] for row in response.json()["results"]]


def refused(response, *fields):
    """Whether the request is invalid, and the response says so of these fields or parts of them."""
    assert response.status_code == 400, response.content
    return all(re.search(rf'"{field}\b', response.content.decode()) for field in fields)


def as_view(base, **attributes):
    """The view of a class that has these attributes."""
    return type(base.__name__, (base,), attributes).as_view()
