"""Serializers of nested rows and of several rows at once."""

from django.urls import path
from guide.models import Customer, Line, Order
from guide.support import CustomerSerializer, customer, names, order, refused
from rest_framework import generics, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.response import Response


class NestedLine(serializers.ModelSerializer):
    class Meta:
        model = Line
        fields = ["product", "quantity"]


class NestedOrder(serializers.ModelSerializer):
    lines = NestedLine(many=True)

    class Meta:
        model = Order
        fields = ["id", "customer", "note", "lines"]

    def create(self, validated_data):
        lines = validated_data.pop("lines")
        created = Order.objects.create(**validated_data)
        for line in lines:
            Line.objects.create(order=created, **line)
        return created

    def update(self, instance, validated_data):
        lines = validated_data.pop("lines", None)
        instance = super().update(instance, validated_data)
        if lines is not None:
            instance.lines.all().delete()
            Line.objects.bulk_create(Line(order=instance, **line) for line in lines)
        return instance


class Orders(viewsets.ModelViewSet):
    queryset = Order.objects.prefetch_related("lines")
    serializer_class = NestedOrder


URL = "/api/v1/orders/"
LINES = [{"product": "milk", "quantity": 2}, {"product": "tea", "quantity": 1}]


def test_nested_rows_are_read(mount, api):
    class ReadOnly(serializers.ModelSerializer):
        customer = CustomerSerializer(read_only=True)
        lines = NestedLine(many=True, read_only=True)

        class Meta:
            model = Order
            fields = ["customer", "lines"]

    class View(Orders):
        serializer_class = ReadOnly

    mount(orders=View)
    row = order()
    Line.objects.create(order=row, product="tea", quantity=3)
    shown = {
        "customer": {"id": row.customer_id, "name": "Ada", "email": "ada@example.com"},
        "lines": [{"product": "tea", "quantity": 3}],
    }
    assert api.get(URL).json()["results"] == [shown]
    assert api.get(f"{URL}{row.pk}/").json() == shown


def test_nested_rows_are_created(mount, api):
    mount(orders=Orders)
    response = api.post(URL, {"customer": customer().pk, "lines": LINES}, format="json")
    assert response.status_code == 201, response.content
    assert response.json()["lines"] == LINES
    assert Line.objects.count() == 2


def test_nested_rows_are_replaced(mount, api):
    mount(orders=Orders)
    row = order()
    Line.objects.create(order=row, product="old")
    assert api.patch(f"{URL}{row.pk}/", {"note": "x"}, format="json").json()["lines"][0]["product"] == "old"
    assert api.patch(f"{URL}{row.pk}/", {"lines": LINES}, format="json").status_code == 200
    assert api.get(f"{URL}{row.pk}/").json()["lines"] == LINES


def test_error_of_a_nested_row_names_its_field(mount, api):
    mount(orders=Orders)
    body = {"customer": customer().pk, "lines": [{"product": "tea", "quantity": "many"}]}
    response = api.post(URL, body, format="json")
    assert response.status_code == 400
    assert "lines" in response.content.decode()
    assert "quantity" in response.content.decode()
    assert refused(api.post(URL, {"customer": customer().pk}, format="json"), "lines")
    assert not Order.objects.exists()


def test_nested_row_that_may_be_null(mount, api):
    class Gift(serializers.Serializer):
        message = serializers.CharField()

    class Wish(serializers.Serializer):
        gift = Gift(required=False, allow_null=True)

    class Wishes(generics.GenericAPIView):
        serializer_class = Wish

        def post(self, request):
            serializer = self.get_serializer(data=request.data)
            serializer.is_valid(raise_exception=True)
            return Response(serializer.validated_data)

    mount(path("wishes/", Wishes.as_view()))
    for body in ({}, {"gift": None}, {"gift": {"message": "Hi"}}):
        assert api.post("/api/v1/wishes/", body, format="json").json() == body
    assert api.post("/api/v1/wishes/", {"gift": {}}, format="json").status_code == 400


def test_several_rows_are_created_by_one_request(mount, api):
    class Customers(viewsets.ModelViewSet):
        queryset = Customer.objects.all()
        serializer_class = CustomerSerializer

        def get_serializer(self, *args, **kwargs):
            if isinstance(kwargs.get("data"), list):
                kwargs["many"] = True
            return super().get_serializer(*args, **kwargs)

    mount(customers=Customers)
    rows = [{"name": name, "email": f"{name}@example.com"} for name in ("a", "b")]
    response = api.post("/api/v1/customers/", rows, format="json")
    assert response.status_code == 201, response.content
    assert [row["name"] for row in response.json()] == names(api.get("/api/v1/customers/")) == ["a", "b"]
    response = api.post("/api/v1/customers/", [{"name": "c", "email": "c@example.com"}, {"name": "d"}], format="json")
    assert response.status_code == 400
    assert "email" in response.content.decode()
    assert Customer.objects.count() == 2


class CustomersAtOnce(serializers.ListSerializer):
    def create(self, validated_data):
        return Customer.objects.bulk_create(Customer(**row) for row in validated_data)

    def update(self, instance, validated_data):
        rows = {row.pk: row for row in instance}
        kept = [self.child.update(rows[data["id"]], data) for data in validated_data if data["id"] in rows]
        Customer.objects.exclude(pk__in=[row.pk for row in kept]).delete()
        return kept


class CustomerOfMany(serializers.ModelSerializer):
    id = serializers.IntegerField(required=False)
    email = serializers.EmailField()

    class Meta:
        model = Customer
        fields = ["id", "name", "email"]
        list_serializer_class = CustomersAtOnce


class BulkCustomers(viewsets.GenericViewSet):
    queryset = Customer.objects.all()
    serializer_class = CustomerOfMany

    @action(detail=False, methods=["post", "put"])
    def bulk(self, request):
        instance = self.get_queryset() if request.method == "PUT" else None
        serializer = self.get_serializer(instance, data=request.data, many=True, allow_empty=False, max_length=3)
        serializer.is_valid(raise_exception=True)
        serializer.save()
        return Response(serializer.data, status=status.HTTP_200_OK)


def test_list_serializer_creates_in_bulk(mount, api, django_assert_max_num_queries):
    mount(customers=BulkCustomers)
    rows = [{"name": name, "email": f"{name}@example.com"} for name in "abc"]
    with django_assert_max_num_queries(8):
        response = api.post("/api/v1/customers/bulk/", rows, format="json")
    assert response.status_code == 200, response.content
    assert Customer.objects.count() == 3


def test_list_serializer_updates_in_bulk(mount, api):
    mount(customers=BulkCustomers)
    first = customer("Ada")
    customer("Bo")
    rows = [{"id": first.pk, "name": "New", "email": "new@example.com"}]
    response = api.put("/api/v1/customers/bulk/", rows, format="json")
    assert response.status_code == 200, response.content
    assert [row.name for row in Customer.objects.all()] == ["New"]


def test_list_serializer_limits_the_number_of_rows(mount, api):
    mount(customers=BulkCustomers)
    rows = [{"name": name, "email": f"{name}@example.com"} for name in "abcd"]
    assert api.post("/api/v1/customers/bulk/", rows, format="json").status_code == 400
    assert api.post("/api/v1/customers/bulk/", [], format="json").status_code == 400
    assert api.post("/api/v1/customers/bulk/", {"name": "a"}, format="json").status_code == 400
