"""Validators of fields and of serializers."""

from datetime import date

import pytest
from guide.models import Article, Customer, Line, Order
from guide.support import ArticleSerializer, CustomerSerializer, LineSerializer, client_of, customer, order, refused
from rest_framework import serializers, viewsets
from rest_framework.validators import UniqueForYearValidator, UniqueTogetherValidator, UniqueValidator

ROWS = "/api/v1/rows/"


def served(mount, model, serializer, **attributes):
    options = {"queryset": model.objects.all(), "serializer_class": serializer, **attributes}
    mount(rows=type("View", (viewsets.ModelViewSet,), options))


def test_unique_field_of_a_model(mount, api):
    served(mount, Customer, CustomerSerializer)
    row = customer()
    assert refused(api.post(ROWS, {"name": "Other", "email": row.email}, format="json"), "email")
    assert api.put(f"{ROWS}{row.pk}/", {"name": "New", "email": row.email}, format="json").status_code == 200


def test_unique_validator_of_a_field(mount, api):
    class OneName(CustomerSerializer):
        name = serializers.CharField(
            validators=[UniqueValidator(Customer.objects.all(), message="Taken.", lookup="iexact")]
        )

    served(mount, Customer, OneName)
    customer("Ada")
    response = api.post(ROWS, {"name": "ADA", "email": "b@example.com"}, format="json")
    assert refused(response, "name")
    assert "Taken." in response.content.decode()


def test_fields_that_are_unique_together_in_a_model(mount, api):
    served(mount, Line, LineSerializer)
    row = order()
    first = api.post(ROWS, {"order": row.pk, "product": "tea"}, format="json")
    assert first.status_code == 201, first.content
    assert api.post(ROWS, {"order": row.pk, "product": "tea"}, format="json").status_code == 400
    assert api.patch(f"{ROWS}{first.json()['id']}/", {"product": "tea"}, format="json").status_code == 200
    assert refused(api.post(ROWS, {"order": row.pk}, format="json"), "product")


def test_unique_together_validator_of_a_serializer(mount, api):
    class OncePerStatus(serializers.ModelSerializer):
        class Meta:
            model = Order
            fields = ["id", "customer", "status"]
            validators = [
                UniqueTogetherValidator(Order.objects.all(), ["customer", "status"], message="One of each status.")
            ]

    served(mount, Order, OncePerStatus)
    row = order(status="paid")
    response = api.post(ROWS, {"customer": row.customer_id, "status": "paid"}, format="json")
    assert response.status_code == 400
    assert "One of each status." in response.content.decode()
    assert api.post(ROWS, {"customer": row.customer_id, "status": "sent"}, format="json").status_code == 201


def test_unique_together_is_switched_off(mount, api):
    class Unchecked(serializers.ModelSerializer):
        class Meta:
            model = Line
            fields = ["order", "product", "quantity"]
            extra_kwargs = {"product": {"required": False}}
            validators = []

        def validate(self, data):
            return {"product": "anything", **data}

    served(mount, Line, Unchecked)
    assert api.post(ROWS, {"order": order().pk}, format="json").json()["product"] == "anything"


def test_field_that_is_unique_for_a_date(mount, api):
    served(mount, Article, ArticleSerializer, lookup_field="slug")
    body = {"title": "A", "slug": "a", "published": "2026-01-01"}
    assert api.post(ROWS, body, format="json").status_code == 201
    assert refused(api.post(ROWS, {**body, "slug": "b"}, format="json"), "title")
    assert api.post(ROWS, {**body, "slug": "b", "published": "2026-01-02"}, format="json").status_code == 201


def test_unique_for_year_validator_with_a_hidden_date(mount, api):
    class OncePerYear(serializers.ModelSerializer):
        title = serializers.CharField()
        published = serializers.HiddenField(default=lambda: date(2026, 1, 1))

        class Meta:
            model = Article
            fields = ["title", "slug", "published"]
            validators = [UniqueForYearValidator(Article.objects.all(), field="title", date_field="published")]

    served(mount, Article, OncePerYear)
    assert api.post(ROWS, {"title": "A", "slug": "a"}, format="json").json() == {"title": "A", "slug": "a"}
    assert refused(api.post(ROWS, {"title": "A", "slug": "b"}, format="json"), "title")


def even(value):
    if value % 2:
        raise serializers.ValidationError("This number is odd.")


class MultipleOf:
    def __init__(self, base):
        self.base = base

    def __call__(self, value):
        if value % self.base:
            raise serializers.ValidationError(f"This is no multiple of {self.base}.")


class NotTheOldValue:
    requires_context = True

    def __call__(self, value, serializer_field):
        instance = serializer_field.parent.instance
        if instance is not None and getattr(instance, serializer_field.source) == value:
            raise serializers.ValidationError("This is the old value.")


@pytest.mark.parametrize(
    ("quantity", "message"), [(3, "This number is odd."), (4, "This is no multiple of 3."), (6, None)]
)
def test_custom_validators(mount, api, quantity, message):
    class Checked(LineSerializer):
        quantity = serializers.IntegerField(validators=[even, MultipleOf(3)])

    served(mount, Line, Checked)
    response = api.post(ROWS, {"order": order().pk, "product": "tea", "quantity": quantity}, format="json")
    if message:
        assert refused(response, "quantity")
        assert message in response.content.decode()
    else:
        assert response.status_code == 201, response.content


def test_validator_reads_its_field(mount, api):
    class Checked(LineSerializer):
        quantity = serializers.IntegerField(validators=[NotTheOldValue()])

    served(mount, Line, Checked)
    row = Line.objects.create(order=order(), product="tea", quantity=2)
    assert refused(api.patch(f"{ROWS}{row.pk}/", {"quantity": 2}, format="json"), "quantity")
    assert api.patch(f"{ROWS}{row.pk}/", {"quantity": 3}, format="json").status_code == 200


def test_current_user_is_a_default(mount, ann):
    class Owned(serializers.ModelSerializer):
        owner = serializers.HiddenField(default=serializers.CurrentUserDefault())

        class Meta:
            model = Order
            fields = ["id", "customer", "owner"]

    served(mount, Order, Owned)
    response = client_of(ann).post(ROWS, {"customer": customer().pk, "owner": 99}, format="json")
    assert response.status_code == 201, response.content
    assert "owner" not in response.json()
    assert Order.objects.get().owner == ann


def test_default_for_new_rows_alone(mount, api):
    class Noted(serializers.ModelSerializer):
        note = serializers.CharField(default=serializers.CreateOnlyDefault("new"))

        class Meta:
            model = Order
            fields = ["id", "customer", "note"]

    served(mount, Order, Noted)
    created = api.post(ROWS, {"customer": customer().pk}, format="json").json()
    assert created["note"] == "new"
    Order.objects.update(note="changed")
    response = api.put(f"{ROWS}{created['id']}/", {"customer": created["customer"]}, format="json")
    assert response.json()["note"] == "changed"


def test_limits_of_a_model_field_are_validated(mount, api):
    served(mount, Line, LineSerializer)
    response = api.post(ROWS, {"order": order().pk, "product": "x" * 51, "quantity": -1}, format="json")
    assert refused(response, "product", "quantity")
