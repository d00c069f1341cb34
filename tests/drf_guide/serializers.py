"""Serializers."""

import pytest
from django.contrib.auth import get_user_model
from django.db.models import Count
from django.urls import path
from guide.models import Customer, Line, Order
from guide.support import CustomerSerializer, OrderSerializer, as_view, client_of, customer, names, order, refused
from rest_framework import generics, serializers, status, viewsets
from rest_framework.decorators import api_view
from rest_framework.response import Response

URL = "/api/v1/customers/"
ADA = {"name": "Ada", "email": "ada@example.com"}


class Customers(viewsets.ModelViewSet):
    queryset = Customer.objects.all()
    serializer_class = CustomerSerializer


class Orders(viewsets.ModelViewSet):
    queryset = Order.objects.all()
    serializer_class = OrderSerializer


def with_serializer(mount, serializer, base=Customers):
    """Serve a viewset with this serializer."""
    viewset = type(base.__name__, (base,), {"serializer_class": serializer})
    mount(**{base.__name__.lower(): viewset})


def test_plain_serializer_creates_and_updates(mount, api):
    class Plain(serializers.Serializer):
        id = serializers.IntegerField(read_only=True)
        name = serializers.CharField(max_length=50)
        email = serializers.EmailField()

        def create(self, validated_data):
            return Customer.objects.create(**validated_data)

        def update(self, instance, validated_data):
            instance.name = validated_data.get("name", instance.name)
            instance.email = validated_data.get("email", instance.email)
            instance.save()
            return instance

    with_serializer(mount, Plain)
    response = api.post(URL, ADA, format="json")
    assert response.status_code == 201
    assert api.patch(f"{URL}{response.json()['id']}/", {"name": "Bo"}, format="json").json()["name"] == "Bo"
    assert refused(api.post(URL, {"name": "x" * 51, "email": "none"}, format="json"), "name", "email")


def test_save_has_more_attributes(mount, ann):
    class View(Orders):
        def perform_create(self, serializer):
            serializer.save(owner=self.request.user, note="by the view")

    mount(orders=View)
    response = client_of(ann).post("/api/v1/orders/", {"customer": customer().pk}, format="json")
    assert (response.json()["owner"], response.json()["note"]) == (ann.pk, "by the view")


def test_save_of_the_serializer_does_something_else(mount, api):
    sent = []

    class ContactForm(serializers.Serializer):
        email = serializers.EmailField()
        message = serializers.CharField()

        def save(self):
            sent.append(self.validated_data["message"])

    @api_view(["POST"])
    def contact(request):
        serializer = ContactForm(data=request.data)
        serializer.is_valid(raise_exception=True)
        serializer.save()
        return Response(status=status.HTTP_204_NO_CONTENT)

    mount(path("contact/", contact))
    assert api.post("/api/v1/contact/", {"email": "a@example.com", "message": "Hi"}).status_code == 204
    assert refused(api.post("/api/v1/contact/", {"email": "none"}), "email", "message")
    assert sent == ["Hi"]


def test_validation_of_one_field_by_a_method(mount, api):
    class Checked(CustomerSerializer):
        def validate_name(self, value):
            if "test" in value.lower():
                raise serializers.ValidationError("Names of tests are refused.")
            return value.title()

    with_serializer(mount, Checked)
    assert api.post(URL, {**ADA, "name": "ada lovelace"}, format="json").json()["name"] == "Ada Lovelace"
    response = api.post(URL, {"name": "Test", "email": "test@example.com"}, format="json")
    assert refused(response, "name")
    assert "Names of tests are refused." in response.content.decode()


def test_validation_of_several_fields_by_a_method(mount, api):
    class Checked(OrderSerializer):
        def validate(self, data):
            state = data.get("status", self.instance.status if self.instance else "new")
            total = data.get("total", self.instance.total if self.instance else 0)
            if state == "paid" and not total:
                raise serializers.ValidationError("A paid order has a total.")
            if data.get("note") == "bad":
                raise serializers.ValidationError({"note": "This note is refused."})
            return data

    with_serializer(mount, Checked, Orders)
    of = customer().pk
    response = api.post("/api/v1/orders/", {"customer": of, "status": "paid"}, format="json")
    assert response.status_code == 400
    assert "A paid order has a total." in response.content.decode()
    assert refused(api.post("/api/v1/orders/", {"customer": of, "note": "bad"}, format="json"), "note")
    row = order(total=5)
    assert api.patch(f"/api/v1/orders/{row.pk}/", {"status": "paid"}, format="json").status_code == 200


def test_partial_update_needs_no_required_field(mount, api):
    with_serializer(mount, CustomerSerializer)
    url = f"{URL}{customer().pk}/"
    assert api.patch(url, {}, format="json").status_code == 200
    assert refused(api.put(url, {}, format="json"), "name", "email")
    assert Customer.objects.get().name == "Ada"


def test_all_fields_and_excluded_fields_of_a_model(mount, api):
    class Everything(serializers.ModelSerializer):
        class Meta:
            model = Order
            fields = "__all__"

    class Less(serializers.ModelSerializer):
        class Meta:
            model = Order
            exclude = ["owner", "tags", "placed_at"]

    mount(
        path("all/", generics.ListAPIView.as_view(queryset=Order.objects.all(), serializer_class=Everything)),
        path("less/", generics.ListAPIView.as_view(queryset=Order.objects.all(), serializer_class=Less)),
    )
    order()
    less = {"id", "customer", "status", "total", "note", "gift"}
    assert set(api.get("/api/v1/all/").json()["results"][0]) == less | {"owner", "tags", "placed_at"}
    assert set(api.get("/api/v1/less/").json()["results"][0]) == less


def test_depth_nests_related_rows(mount, api):
    class Deep(serializers.ModelSerializer):
        class Meta:
            model = Order
            fields = ["id", "customer"]
            depth = 1

    with_serializer(mount, Deep, Orders)
    row = order()
    assert api.get(f"/api/v1/orders/{row.pk}/").json()["customer"]["email"] == "ada@example.com"


def test_properties_and_methods_of_a_model_are_fields(mount, api):
    class Named(serializers.ModelSerializer):
        title = serializers.CharField(source="__str__", read_only=True)
        state = serializers.CharField(source="get_status_display", read_only=True)

        class Meta:
            model = Order
            fields = ["title", "state", "get_status_display"]

    with_serializer(mount, Named, Orders)
    row = order()
    expected = {"title": f"Order {row.pk}", "state": "New", "get_status_display": "New"}
    assert api.get(f"/api/v1/orders/{row.pk}/").json() == expected


def test_read_only_fields_are_not_written(mount, api):
    class ReadOnly(serializers.ModelSerializer):
        class Meta:
            model = Customer
            fields = ["id", "name", "email"]
            read_only_fields = ["name"]

    with_serializer(mount, ReadOnly)
    row = customer()
    response = api.patch(f"{URL}{row.pk}/", {"name": "Bo", "id": 99, "email": "b@example.com"}, format="json")
    assert response.json() == {"id": row.pk, "name": "Ada", "email": "b@example.com"}


def test_write_only_password_by_extra_arguments(mount, staff):
    class CreateUser(serializers.ModelSerializer):
        class Meta:
            model = get_user_model()
            fields = ["username", "email", "password"]
            extra_kwargs = {"password": {"write_only": True}, "email": {"required": True}}

        def create(self, validated_data):
            return get_user_model().objects.create_user(**validated_data)

    class Users(generics.ListCreateAPIView):
        queryset = get_user_model().objects.order_by("username")
        serializer_class = CreateUser

    mount(path("users/", Users.as_view()))
    body = {"username": "new", "email": "new@example.com", "password": "of-the-new-user"}
    response = client_of(staff).post("/api/v1/users/", body, format="json")
    assert (response.status_code, response.json()) == (201, {"username": "new", "email": "new@example.com"})
    assert get_user_model().objects.get(username="new").check_password("of-the-new-user")
    assert refused(client_of(staff).post("/api/v1/users/", {"username": "x", "password": "y"}), "email")


def test_method_field_in_a_list_and_in_a_row(mount, api):
    class WithMethod(CustomerSerializer):
        order_count = serializers.SerializerMethodField()
        domain = serializers.SerializerMethodField(method_name="domain_of")

        class Meta(CustomerSerializer.Meta):
            fields = ["id", "name", "order_count", "domain"]

        def get_order_count(self, row):
            return row.orders.count()

        def domain_of(self, row):
            return row.email.partition("@")[2]

    with_serializer(mount, WithMethod)
    row = order().customer
    expected = {"id": row.pk, "name": "Ada", "order_count": 1, "domain": "example.com"}
    assert api.get(URL).json()["results"] == [expected]
    assert api.get(f"{URL}{row.pk}/").json() == expected


def test_annotation_of_the_queryset_is_a_field(mount, api):
    class Counted(CustomerSerializer):
        order_count = serializers.IntegerField(read_only=True)

        class Meta(CustomerSerializer.Meta):
            fields = ["id", "name", "email", "order_count"]

    view = type(
        "View", (Customers,), {"queryset": Customer.objects.annotate(order_count=Count("orders")).order_by("pk")}
    )
    with_serializer(mount, Counted, type("Customers", (view,), {}))
    row = order().customer
    assert names(api.get(URL), "order_count") == [1]
    assert api.get(f"{URL}{row.pk}/").json()["order_count"] == 1
    assert api.patch(f"{URL}{row.pk}/", {"name": "Bo"}, format="json").json()["order_count"] == 1


def test_dotted_source_reads_from_a_relation(mount, api):
    class Dotted(serializers.ModelSerializer):
        customer_name = serializers.CharField(source="customer.name", read_only=True)

        class Meta:
            model = Order
            fields = ["id", "customer_name"]

    with_serializer(mount, Dotted, Orders)
    row = order()
    assert api.get("/api/v1/orders/").json()["results"] == [{"id": row.pk, "customer_name": "Ada"}]


def test_fields_are_chosen_when_a_serializer_is_made(mount, api):
    class Dynamic(serializers.ModelSerializer):
        class Meta:
            model = Customer
            fields = ["id", "name", "email"]

        def __init__(self, *args, fields=None, **kwargs):
            super().__init__(*args, **kwargs)
            for name in set(self.fields) - set(self.fields if fields is None else fields):
                self.fields.pop(name)

    @api_view(["GET"])
    def short(request):
        return Response(Dynamic(Customer.objects.all(), many=True, fields=["name"]).data)

    mount(path("short/", short), customers=type("View", (Customers,), {"serializer_class": Dynamic}))
    customer()
    assert api.get("/api/v1/short/").json() == [{"name": "Ada"}]
    assert set(api.get(URL).json()["results"][0]) == {"id", "name", "email"}


def test_fields_depend_on_query_parameters(mount, api):
    class Chosen(CustomerSerializer):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            wanted = self.context["request"].query_params.get("fields")
            if wanted:
                for name in set(self.fields) - set(wanted.split(",")):
                    self.fields.pop(name)

    class View(generics.RetrieveAPIView):
        queryset = Customer.objects.all()
        serializer_class = Chosen
        filter_backends = []

    mount(path("customers/<int:pk>/", View.as_view()))
    assert api.get(f"{URL}{customer().pk}/?fields=name").json() == {"name": "Ada"}


def test_to_representation_changes_the_output(mount, api):
    class Upper(CustomerSerializer):
        def to_representation(self, instance):
            shown = super().to_representation(instance)
            shown["name"] = shown["name"].upper()
            return shown

    with_serializer(mount, Upper)
    assert api.post(URL, ADA, format="json").json()["name"] == "ADA"
    assert names(api.get(URL)) == ["ADA"]


def test_to_internal_value_changes_the_input(mount, api):
    class FullName(CustomerSerializer):
        def to_internal_value(self, data):
            return super().to_internal_value({**data, "name": " ".join(data.get("names", []))})

    with_serializer(mount, FullName)
    body = {"names": ["Ada", "Lovelace"], "email": "ada@example.com"}
    assert api.post(URL, body, format="json").json()["name"] == "Ada Lovelace"


def test_serializer_inherits_and_removes_fields(mount, api):
    class Base(serializers.ModelSerializer):
        extra = serializers.CharField(default="x", read_only=True)

        class Meta:
            model = Customer
            fields = ["id", "name", "email"]

    class Child(Base):
        extra = None

        class Meta(Base.Meta):
            fields = ["name"]

    with_serializer(mount, Child)
    assert api.get(f"{URL}{customer().pk}/").json() == {"name": "Ada"}


class Score(serializers.BaseSerializer):
    """A quantity of a product, read and written as a text."""

    def to_representation(self, instance):
        return f"{instance.product}: {instance.quantity}"

    def to_internal_value(self, data):
        product, _, quantity = data.get("score", "").partition(": ")
        if not quantity.isdigit():
            raise serializers.ValidationError({"score": "Write it as a product and a quantity."})
        return {"product": product, "quantity": int(quantity)}

    def create(self, validated_data):
        return Line.objects.create(order=self.context["view"].order, **validated_data)


def test_base_serializer_reads_and_writes(mount, api):
    view = as_view(generics.ListCreateAPIView, queryset=Line.objects.all(), serializer_class=Score, order=order())
    mount(path("scores/", view))
    assert api.post("/api/v1/scores/", {"score": "tea: 3"}, format="json").json() == "tea: 3"
    assert refused(api.post("/api/v1/scores/", {"score": "tea"}, format="json"), "score")
    assert api.get("/api/v1/scores/").json()["results"] == ["tea: 3"]
    assert [line.quantity for line in Line.objects.all()] == [3]


@pytest.mark.parametrize("absolute", [True, False])
def test_hyperlinks_are_absolute_with_a_request(mount, api, absolute):
    class Linked(serializers.HyperlinkedModelSerializer):
        class Meta:
            model = Customer
            fields = ["url", "id", "name"]
            extra_kwargs = {"url": {"view_name": "v1:customer-detail"}}

    @api_view(["GET"])
    def one(request):
        return Response(Linked(Customer.objects.get(), context={"request": None}).data)

    @api_view(["GET"])
    def all_of_them(request):
        linked = type("Linked", (Linked,), {"Meta": type("Meta", (), {"model": Customer, "fields": ["url"]})})
        return Response(linked(Customer.objects.all(), many=True, context={"request": request}).data)

    mount(path("one/", one), path("all/", all_of_them), customers=Customers)
    url = f"{URL}{customer().pk}/"
    if absolute:
        assert api.get("/api/v1/all/").json() == [{"url": f"http://testserver{url}"}]
    else:
        assert api.get("/api/v1/one/").json()["url"] == url
