"""What DRF's guide teaches works in an owner's app."""

import json
import logging
from decimal import Decimal
from io import StringIO

import pytest
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.db import connection
from rest_framework.test import APIClient

from accounts.models import User
from books.models import Book
from shop.models import Book as ShopBook
from shop.models import Customer, Line, Order, Voucher

pytestmark = pytest.mark.django_db
V1 = "/api/v1/"
PROBLEM = "application/problem+json"


def client_of(user):
    client = APIClient(raise_request_exception=False)
    if user:
        client.force_authenticate(user)
    return client


def user(name, *, permitted=True):
    created = User.objects.create_user(name)
    if permitted:
        created.user_permissions.set(Permission.objects.all())
    return created


@pytest.fixture
def ann():
    return user("ann")


@pytest.fixture
def api(ann):
    return client_of(ann)


@pytest.fixture
def stranger():
    return client_of(None)


@pytest.fixture
def customers():
    return [Customer.objects.create(name=name, email=f"{name}@example.com") for name in ("Ada", "Bob", "Eve")]


@pytest.fixture
def orders(customers):
    """Nine orders, of which some share a total and some were never placed."""
    made = []
    for number in range(9):
        placed_at = None if number % 3 == 0 else f"2026-0{1 + number % 4}-01T12:30:00Z"
        customer = customers[number % 3]
        order = Order.objects.create(customer=customer, total=Decimal(number % 4), placed_at=placed_at)
        Line.objects.bulk_create(Line(order=order, product=f"Product {line}") for line in range(number % 3))
        made.append(order)
    return made


def ok(response, status=200):
    assert response.status_code == status, response.content
    return response.json()


def walk(client, url, link="next"):
    """All rows, by the links to the other pages."""
    rows = []
    while url:
        page = ok(client.get(url))
        rows += page["results"]
        url = page[link]
        assert len(rows) < 100
    return rows


# Filter backends hold for single rows, too.
@pytest.mark.parametrize("resource", ["own-orders", "mine-orders"])
@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
def test_a_row_of_another_user_is_404(api, ann, orders, resource, method):
    Order.objects.filter(pk=orders[0].pk).update(owner=user("bob"))
    Order.objects.filter(pk=orders[1].pk).update(owner=ann)
    data = {"customer": orders[0].customer_id, "total": "7.00"}
    foreign = getattr(api, method)(f"{V1}{resource}/{orders[0].pk}/", data, format="json")
    assert (foreign.status_code, foreign["Content-Type"]) == (404, PROBLEM)
    assert Order.objects.get(pk=orders[0].pk).total == orders[0].total
    own = getattr(api, method)(f"{V1}{resource}/{orders[1].pk}/", data, format="json")
    assert own.status_code == (204 if method == "delete" else 200)
    assert [row["id"] for row in walk(api, f"{V1}{resource}/")] == ([] if method == "delete" else [orders[1].pk])


def test_perform_create_sets_the_owner(api, ann, customers):
    created = ok(api.post(f"{V1}mine-orders/", {"customer": customers[0].pk}, format="json"), 201)
    assert Order.objects.get(pk=created["id"]).owner == ann


# Views without a model.
@pytest.mark.parametrize("path", ["plain/", "function/", "plain-set/", "export/"])
def test_a_view_without_a_queryset_is_closed_and_works_for_users(api, stranger, path):
    refused = stranger.get(f"{V1}shop/{path}")
    assert (refused.status_code, refused["WWW-Authenticate"]) == (401, "Token")
    assert api.get(f"{V1}shop/{path}").status_code == 200
    assert client_of(user("reader", permitted=False)).get(f"{V1}shop/{path}").status_code == 200


def test_a_view_without_a_queryset_reads_bodies_and_parameters(api, stranger):
    assert ok(api.post(f"{V1}shop/plain/", {"a": [1]}, format="json")) == {"a": [1]}
    assert ok(api.get(f"{V1}shop/function/?anything=1&b=")) == {"query": {"anything": "1", "b": ""}}
    assert ok(api.post(f"{V1}shop/no-queryset/", {"product": "Tea"}, format="json"))["product"] == "Tea"
    assert ok(stranger.get(f"{V1}shop/public/")) == {}
    assert stranger.post(f"{V1}shop/no-queryset/", {"product": "Tea"}, format="json").status_code == 401


# Permissions.
@pytest.mark.parametrize("resource", ["customers", "orders", "vouchers", "shop-books"])
def test_a_new_resource_is_closed_to_strangers(stranger, resource):
    for response in (stranger.get(f"{V1}{resource}/"), stranger.get(f"{V1}{resource}/1/")):
        assert (response.status_code, response["Content-Type"]) == (401, PROBLEM)
    assert stranger.post(f"{V1}{resource}/", {}, format="json").status_code == 401


def test_writing_needs_the_permission_for_the_model(customers):
    reader = user("reader", permitted=False)
    api = client_of(reader)
    ok(api.get(f"{V1}customers/"))
    new = {"name": "Mia", "email": "mia@example.com"}
    assert api.post(f"{V1}customers/", new, format="json").status_code == 403
    reader.user_permissions.add(Permission.objects.get(codename="add_customer"))
    created = ok(client_of(User.objects.get(pk=reader.pk)).post(f"{V1}customers/", new, format="json"), 201)
    assert client_of(User.objects.get(pk=reader.pk)).delete(f"{V1}customers/{created['id']}/").status_code == 403


# Searching, filtering and ordering.
def test_search_fields_of_a_relation(api, orders):
    found = walk(api, f"{V1}orders/?search=ada")
    assert {row["customer"] for row in found} == {orders[0].customer_id}
    assert len(found) == 3
    # A join to many lines gives each order once.
    found = walk(api, f"{V1}orders/?search=Product 0")
    assert len(found) == len({row["id"] for row in found}) == 6


def test_filters_of_a_relation(api, orders):
    assert len(walk(api, f"{V1}orders/?customer={orders[0].customer_id}")) == 3
    assert len(walk(api, f"{V1}orders/?customer__name=Eve")) == 3
    assert api.get(f"{V1}orders/?customer__nmae=Eve").json()["errors"][0]["field"] == "customer__nmae"


def test_the_models_ordering_is_the_default(api, customers, orders):
    assert [row["name"] for row in walk(api, f"{V1}customers/?page_size=2")] == ["Eve", "Bob", "Ada"]
    assert [row["id"] for row in walk(api, f"{V1}orders/?page_size=2")] == [order.pk for order in orders[::-1]]


def test_the_views_ordering_is_the_default(api, orders):
    rows = walk(api, f"{V1}detailed-orders/?page_size=2")
    expected = Order.objects.order_by("total", "-placed_at", "-pk")
    assert [row["id"] for row in rows] == [order.pk for order in expected]


ORDERINGS = ["created_at", "customer__name", "-customer__name", "placed_at", "-placed_at", "total,-placed_at"]


@pytest.mark.parametrize("ordering", [*ORDERINGS, "-customer__name,placed_at,-total"])
@pytest.mark.parametrize("query", ["", "&search=product"])
def test_pages_of_each_ordering_have_each_row_once_and_back(api, orders, ordering, query):
    url = f"{V1}orders/?page_size=2&ordering={ordering}{query}"
    rows = [row["id"] for row in walk(api, url)]
    names = ordering.split(",")
    last = names[-1].startswith("-")
    found = Order.objects.filter(lines__isnull=False).distinct() if query else Order.objects.all()
    # Null values are where the database has them.
    assert rows == [order.pk for order in found.order_by(*names, "-pk" if last else "pk")]
    pages, following = [], url
    while following:
        last_url, page = following, ok(api.get(following))
        pages.append([row["id"] for row in page["results"]])
        following = page["next"]
    back: list[list[int]] = []
    previous = last_url
    while previous:
        page = ok(api.get(previous))
        back.insert(0, [row["id"] for row in page["results"]])
        previous = page["previous"]
    assert back == pages


def test_an_ordering_that_is_not_allowed_is_ignored(api, customers):
    for ordering in ("nonsense", "-password", ""):
        assert [row["name"] for row in walk(api, f"{V1}customers/?ordering={ordering}")] == ["Eve", "Bob", "Ada"]


# Pagination classes.
@pytest.mark.parametrize(
    ("resource", "query", "size"),
    [("numbered", "?page=1", 20), ("offset", "?limit=2", 2), ("cursor", "", 20), ("customers", "?page_size=2", 2)],
)
def test_the_links_of_each_pagination_class_lead_on(api, resource, query, size):
    Customer.objects.bulk_create(Customer(name=f"{n:02}", email=f"{n}@example.com") for n in range(45))
    names = [row["name"] for row in walk(api, f"{V1}{resource}/{query}")]
    assert sorted(names) == [f"{n:02}" for n in range(45)]
    assert names == sorted(names, reverse=resource != "cursor")
    first = ok(api.get(f"{V1}{resource}/{query}"))
    assert len(first["results"]) == size
    second = ok(api.get(first["next"]))
    assert ok(api.get(second["previous"]))["results"] == first["results"]
    assert api.get(f"{V1}{resource}/?pgae=2").status_code == 400


def test_a_list_without_pages(api, customers):
    assert [row["name"] for row in ok(api.get(f"{V1}unpaged/"))] == ["Eve", "Bob", "Ada"]


# Serializers.
def test_computed_nested_and_related_fields_are_the_same_in_list_and_detail(api, orders):
    row = ok(api.get(f"{V1}detailed-orders/{orders[5].pk}/"))
    assert row["caption"] == "Eve: 1.00"
    assert row["customer"] == {"id": orders[5].customer_id, "name": "Eve", "email": "Eve@example.com", "website": ""}
    assert sorted(line["product"] for line in row["lines"]) == ["Product 0", "Product 1"]
    assert (row["count"], row["email"], row["is_large"]) == (2, "Eve@example.com", False)
    assert row in walk(api, f"{V1}detailed-orders/?page_size=4")


def test_a_nested_list_takes_a_constant_number_of_queries(api, orders, django_assert_max_num_queries):
    with django_assert_max_num_queries(3):
        ok(api.get(f"{V1}detailed-orders/"))


def test_a_method_field_in_a_subclass_of_the_books_serializer(api):
    book = Book.objects.create(title="Emma", author="Jane Austen", isbn="9780141439587")
    row = ok(api.get(f"{V1}computed-books/{book.pk}/"))
    assert row["letter"] == "E"
    assert walk(api, f"{V1}computed-books/") == [row]


def test_relations_are_ids(api, customers):
    created = ok(api.post(f"{V1}orders/", {"customer": customers[1].pk, "total": "5"}, format="json"), 201)
    assert created["customer"] == customers[1].pk
    changed = ok(api.patch(f"{V1}orders/{created['id']}/", {"customer": customers[2].pk}, format="json"))
    assert changed["customer"] == customers[2].pk
    wrong = api.post(f"{V1}orders/", {"customer": 10**9}, format="json")
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (400, "customer")


@pytest.mark.parametrize("resource", ["orders", "detailed-orders"])
def test_a_list_shows_what_a_detail_shows(api, orders, resource, settings):
    for zone in ("UTC", "Europe/Berlin", "America/New_York"):
        settings.TIME_ZONE = zone
        for row in walk(api, f"{V1}{resource}/"):
            assert ok(api.get(f"{V1}{resource}/{row['id']}/")) == row


def test_forms_and_multipart_bodies(api, customers):
    for format_ in ("multipart", "json"):
        data = {"customer": customers[0].pk, "total": "3.50"}
        assert ok(api.post(f"{V1}orders/", data, format=format_), 201)["total"] == "3.50"


# The OpenAPI document.
@pytest.fixture(scope="module")
def schema():
    options = ["--validate", "--fail-on-warn", "--format", "openapi-json"]
    call_command("spectacular", "--api-version", "v1", *options, stdout=(out := StringIO()))
    return json.loads(out.getvalue())


def test_the_document_describes_no_internals(schema):
    operations = [schema["paths"][f"{V1}{name}/"]["get"] for name in ("customers", "orders", "vouchers", "numbered")]
    for operation in operations:
        description = operation.get("description", "")
        assert len(description) < 50, description
        assert not any(word in description for word in ("DRF", "ViewSet", "subclass", "lock"))


def test_the_document_has_the_parameters_of_the_view(schema):
    def parameters(name):
        return {parameter["name"] for parameter in schema["paths"][f"{V1}{name}/"]["get"].get("parameters", [])}

    assert parameters("customers") >= {"cursor", "page_size"}
    assert parameters("orders") >= {"customer", "customer__name", "search", "ordering"}
    assert parameters("numbered") >= {"page"}
    assert parameters("offset") >= {"limit", "offset"}
    assert parameters("unpaged").isdisjoint({"cursor", "page", "page_size"})


def test_the_document_is_served(stranger):
    assert ok(stranger.get("/api/schema/?format=json"))["paths"]


# Names.
def test_resources_of_models_with_one_name_have_their_own_urls(api):
    new = {"title": "Emma", "author": "Jane Austen", "isbn": "9780141439587"}
    created = api.post(f"{V1}books/", new, format="json")
    assert created["Location"] == f"http://testserver{V1}books/{created.json()['id']}/" == created.json()["url"]
    ok(api.post(f"{V1}shop-books/", {"title": "Menu"}, format="json"), 201)
    assert ok(api.get(f"{V1}shop-books/{ShopBook.objects.get().pk}/"))["title"] == "Menu"


def test_each_version_keeps_to_itself(api):
    Book.objects.create(title="Emma", author="Jane Austen", isbn="9780141439587")
    for version in ("v1", "v2"):
        [row] = ok(api.get(f"/api/{version}/books/"))["results"]
        assert row["url"] == f"http://testserver/api/{version}/books/{row['id']}/"
        assert ok(api.get(row["url"])) == row
        sent = {"title": version, "author": "A", "isbn": "978014143984" + "6"}
        created = api.post(f"/api/{version}/books/", sent, format="json")
        assert created["Location"].startswith(f"http://testserver/api/{version}/books/")
        assert api.delete(created["Location"]).status_code == 204
    root = ok(api.get("/api/"))
    assert root["books"] == "http://testserver/api/v1/books/"


def test_the_website_links_to_the_first_version(client):
    book = Book.objects.create(title="Emma", author="Jane Austen", isbn="9780141439587")
    assert f"/api/v1/books/{book.pk}/" in client.get(book.get_absolute_url()).content.decode()


def test_the_second_version_has_a_document_of_its_own():
    call_command("spectacular", "--api-version", "v2", "--validate", "--fail-on-warn", stdout=(out := StringIO()))
    assert "/api/v2/books/" in out.getvalue()
    assert "/api/v1/books/:" not in out.getvalue()


# Errors.
def test_a_bug_that_violates_a_constraint_is_logged_and_500(api, caplog):
    with caplog.at_level(logging.ERROR):
        response = api.post(f"{V1}buggy/", {"name": "Mia", "email": "mia@example.com"}, format="json")
    assert (response.status_code, response["Content-Type"]) == (500, PROBLEM)
    assert "NOT NULL" in caplog.text or "not-null" in caplog.text
    assert "Traceback" in caplog.text


def test_a_taken_unique_value_is_409(api, customers):
    response = api.post(f"{V1}customers/", {"name": "Mia", "email": customers[0].email}, format="json")
    assert (response.status_code, response.json()["errors"][0]["field"]) == (409, "email")


def test_a_protected_row_is_409(api, orders):
    assert api.delete(f"{V1}customers/{orders[0].customer_id}/").status_code == 409


@pytest.mark.parametrize(
    ("sent", "field", "code"),
    [
        ({"code": "A", "percent": 101}, "percent", "too_much"),
        ({"code": "", "percent": 1}, "code", "blank"),
        ({"code": "much-too-long", "percent": 1}, "code", "max_length"),
    ],
)
@pytest.mark.parametrize("method", ["post", "put", "patch"])
def test_a_model_that_validates_itself_is_400_with_its_fields(api, sent, field, code, method):
    url = f"{V1}vouchers/"
    if method != "post":
        url += f"{Voucher.objects.create(code='OLD', percent=1).pk}/"
    response = getattr(api, method)(url, sent, format="json")
    assert response.status_code == 400, response.content
    assert (field, code) in [(error["field"], error["code"]) for error in response.json()["errors"]]


def test_an_extra_action_reads_what_it_wants(api):
    Voucher.objects.create(code="TEN", percent=10)
    assert ok(api.get(f"{V1}vouchers/best/?verbose=1"))["code"] == "TEN"


NUL = "a\0b"


@pytest.mark.parametrize("data", [{"a": NUL}, {NUL: 1}, [[NUL]], NUL])
def test_a_nul_character_in_json_is_refused_where_the_database_cannot_store_it(api, customers, data):
    response = api.post(f"{V1}orders/", {"customer": customers[0].pk, "data": data}, format="json")
    assert response.status_code == (400 if connection.vendor == "postgresql" else 201), response.content


def test_a_value_out_of_the_range_of_its_column_is_400(api):
    sent = {"code": "A", "percent": 10**30}
    assert api.post(f"{V1}vouchers/", sent, format="json").status_code == 400
    for path in (f"customers/{10**30}/", f"orders/?customer={10**30}", "orders/?customer=a"):
        assert api.get(f"{V1}{path}").status_code in {400, 404}, path


def test_a_streamed_response_is_complete(api):
    Customer.objects.bulk_create(Customer(name=f"{n}", email=f"{n}@example.com") for n in range(3000))
    lines = b"".join(api.get(f"{V1}shop/export/").streaming_content).splitlines()
    assert len(lines) == 3000
