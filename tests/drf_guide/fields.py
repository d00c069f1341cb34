"""Serializer fields."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from django.urls import path
from guide.models import Article, Customer, Order
from guide.support import START, ArticleSerializer, OrderSerializer, as_view, customer, names, order, refused
from rest_framework import generics, serializers, viewsets
from rest_framework.response import Response

URL = "/api/v1/values/"


def served(mount, **fields):
    """Serve a view that answers with the validated data of a serializer of these fields, and keeps them."""
    seen = {}

    class Values(generics.GenericAPIView):
        serializer_class = type("ValuesSerializer", (serializers.Serializer,), fields)

        def post(self, request):
            serializer = self.get_serializer(data=request.data)
            serializer.is_valid(raise_exception=True)
            seen.clear()
            seen.update(serializer.validated_data)
            return Response(self.get_serializer(serializer.validated_data).data)

    mount(path("values/", Values.as_view()))
    return seen


def test_list_field(mount, api):
    served(mount, scores=serializers.ListField(child=serializers.IntegerField(min_value=0, max_value=9), min_length=1))
    assert api.post(URL, {"scores": [1, "2"]}, format="json").json() == {"scores": [1, 2]}
    for wrong in ([1, 10], [], "text", {"a": 1}, None):
        assert refused(api.post(URL, {"scores": wrong}, format="json"), "scores"), wrong


def test_list_field_in_a_form(mount, api):
    served(mount, scores=serializers.ListField(child=serializers.IntegerField()))
    response = api.post(URL, "scores=1&scores=2", content_type="application/x-www-form-urlencoded")
    assert response.json() == {"scores": [1, 2]}


def test_list_field_class_with_a_child(mount, api):
    class Words(serializers.ListField):
        child = serializers.CharField()

    served(mount, words=Words(max_length=2))
    assert api.post(URL, {"words": ["a", "b"]}, format="json").json() == {"words": ["a", "b"]}
    assert refused(api.post(URL, {"words": ["a", "b", "c"]}, format="json"), "words")


def test_dict_field(mount, api):
    served(mount, prices=serializers.DictField(child=serializers.IntegerField(), allow_empty=False))
    assert api.post(URL, {"prices": {"tea": 3}}, format="json").json() == {"prices": {"tea": 3}}
    for wrong in ({"tea": "x"}, {}, [1]):
        assert refused(api.post(URL, {"prices": wrong}, format="json"), "prices"), wrong


def test_json_field_of_a_serializer(mount, api):
    served(mount, data=serializers.JSONField())
    for data in ({"a": [1, {"b": None}]}, [], "text", 1.5, True):
        assert api.post(URL, {"data": data}, format="json").json() == {"data": data}


def test_json_field_of_a_model(mount, api):
    class Articles(viewsets.ModelViewSet):
        queryset = Article.objects.all()
        serializer_class = ArticleSerializer
        lookup_field = "slug"

    mount(articles=Articles)
    body = {"title": "A", "slug": "a", "published": "2026-01-01", "data": {"tags": ["x"], "n": {"m": 1}}}
    assert api.post("/api/v1/articles/", body, format="json").json() == body
    assert api.get("/api/v1/articles/a/").json()["data"] == body["data"]


def test_choice_fields(mount, api):
    seen = served(
        mount,
        size=serializers.ChoiceField(choices=[("s", "Small"), ("l", "Large")]),
        colours=serializers.MultipleChoiceField(choices=["red", "blue"]),
    )
    response = api.post(URL, {"size": "s", "colours": ["red", "red"]}, format="json")
    assert response.json() == {"size": "s", "colours": ["red"]}
    assert set(seen["colours"]) == {"red"}
    assert refused(api.post(URL, {"size": "Small", "colours": ["green"]}, format="json"), "size", "colours")


def test_decimal_field_is_a_string(mount, api):
    mount(
        path("orders/", as_view(generics.ListAPIView, queryset=Order.objects.all(), serializer_class=OrderSerializer))
    )
    order(total=Decimal("10.50"))
    assert names(api.get("/api/v1/orders/"), "total") == ["10.50"]


def test_decimal_field_that_is_a_number(mount, api):
    seen = served(mount, price=serializers.DecimalField(max_digits=5, decimal_places=2, coerce_to_string=False))
    assert api.post(URL, {"price": "10.5"}, format="json").json() == {"price": 10.5}
    assert seen["price"] == Decimal("10.5")
    for wrong in ("1000", "0.001", "NaN", "x"):
        assert refused(api.post(URL, {"price": wrong}, format="json"), "price")


def test_times_are_iso_8601_in_utc(mount, api):
    class Times(serializers.ModelSerializer):
        day = serializers.DateTimeField(source="placed_at", format="%d.%m.%Y", read_only=True)

        class Meta:
            model = Order
            fields = ["placed_at", "day"]

    mount(path("orders/", as_view(generics.ListAPIView, queryset=Order.objects.all(), serializer_class=Times)))
    order(placed_at=START)
    shown = {"placed_at": "2026-01-01T00:00:00Z", "day": "01.01.2026"}
    assert api.get("/api/v1/orders/").json()["results"] == [shown]


def test_dates_times_and_durations(mount, api):
    seen = served(
        mount,
        at=serializers.DateTimeField(),
        on=serializers.DateField(input_formats=["iso-8601", "%d.%m.%Y"]),
        length=serializers.DurationField(),
    )
    body = {"at": "2026-01-01T01:00:00+01:00", "on": "31.12.2026", "length": "1 00:00:01"}
    assert api.post(URL, body, format="json").json()["on"] == "2026-12-31"
    assert seen["at"] == START
    assert (seen["on"], seen["length"]) == (date(2026, 12, 31), timedelta(days=1, seconds=1))
    wrong = {"at": "soon", "on": "2026-02-30", "length": "long"}
    assert refused(api.post(URL, wrong, format="json"), "at", "on", "length")
    assert isinstance(seen["at"], datetime)


def test_text_fields_check_their_format(mount, api):
    served(
        mount,
        code=serializers.RegexField(r"^[A-Z]{3}$"),
        mail=serializers.EmailField(),
        site=serializers.URLField(),
        slug=serializers.SlugField(),
        key=serializers.UUIDField(),
        ip=serializers.IPAddressField(),
    )
    key = UUID(int=1)
    good = {"code": "ABC", "mail": "a@b.cd", "site": "https://a.bc/", "slug": "a-b", "key": str(key), "ip": "::1"}
    assert api.post(URL, good, format="json").json() == good
    assert refused(api.post(URL, dict.fromkeys(good, "a b"), format="json"), *good)


def test_character_field_trims_and_refuses_blanks(mount, api):
    served(
        mount,
        name=serializers.CharField(max_length=5),
        note=serializers.CharField(allow_blank=True, trim_whitespace=False, required=False),
    )
    assert api.post(URL, {"name": " Ada ", "note": " "}, format="json").json() == {"name": "Ada", "note": " "}
    for wrong in ("", "   ", "too long", None, [], {}):
        assert refused(api.post(URL, {"name": wrong}, format="json"), "name"), wrong


def test_defaults_and_nulls(mount, api):
    seen = served(
        mount,
        size=serializers.IntegerField(default=3),
        note=serializers.CharField(allow_null=True, required=False),
        active=serializers.BooleanField(allow_null=True, default=None),
    )
    assert api.post(URL, {}, format="json").json()["size"] == 3
    assert "note" not in seen
    assert api.post(URL, {"note": None, "size": 4}, format="json").json() == {"size": 4, "note": None, "active": None}
    assert refused(api.post(URL, {"size": None}, format="json"), "size")


@pytest.mark.parametrize(("sent", "read"), [(True, True), ("false", False), ("yes", True), (0, False)])
def test_boolean_field(mount, api, sent, read):
    served(mount, active=serializers.BooleanField())
    assert api.post(URL, {"active": sent}, format="json").json() == {"active": read}
    assert refused(api.post(URL, {"active": "perhaps"}, format="json"), "active")


def test_hidden_and_read_only_fields(mount, api):
    seen = served(
        mount,
        name=serializers.CharField(),
        source=serializers.HiddenField(default="api"),
        shown=serializers.CharField(read_only=True, default="x"),
    )
    response = api.post(URL, {"name": "a", "source": "client", "shown": "y"}, format="json")
    assert "source" not in response.json()
    assert seen == {"name": "a", "source": "api"}


class Colour(serializers.Field):
    default_error_messages = {"format": "Write it as rgb(1, 2, 3)."}

    def to_representation(self, value):
        return f"rgb({', '.join(map(str, value))})"

    def to_internal_value(self, data):
        if not isinstance(data, str) or not data.startswith("rgb("):
            self.fail("format")
        return [int(part) for part in data[4:-1].split(",")]


def test_custom_field(mount, api):
    seen = served(mount, colour=Colour())
    assert api.post(URL, {"colour": "rgb(1,2,3)"}, format="json").json() == {"colour": "rgb(1, 2, 3)"}
    assert seen["colour"] == [1, 2, 3]
    response = api.post(URL, {"colour": "red"}, format="json")
    assert refused(response, "colour")
    assert "Write it as rgb(1, 2, 3)." in response.content.decode()


def test_field_of_the_whole_row(mount, api):
    class Contact(serializers.Field):
        def to_representation(self, value):
            return f"{value.name} <{value.email}>"

        def to_internal_value(self, data):
            name, _, email = data.rstrip(">").partition(" <")
            return {"name": name, "email": email}

    class ContactSerializer(serializers.ModelSerializer):
        contact = Contact(source="*")

        class Meta:
            model = Customer
            fields = ["id", "contact"]

    class Customers(viewsets.ModelViewSet):
        queryset = Customer.objects.all()
        serializer_class = ContactSerializer

    mount(customers=Customers)
    row = customer()
    assert names(api.get("/api/v1/customers/"), "contact") == ["Ada <ada@example.com>"]
    response = api.patch(f"/api/v1/customers/{row.pk}/", {"contact": "Bo <bo@example.com>"}, format="json")
    assert response.json()["contact"] == "Bo <bo@example.com>"


def test_own_error_message_of_a_field(mount, api):
    served(mount, name=serializers.CharField(error_messages={"required": "Tell us the name."}))
    response = api.post(URL, {}, format="json")
    assert refused(response, "name")
    assert "Tell us the name." in response.content.decode()
