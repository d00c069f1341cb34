"""Generic views and mixins."""

import pytest
from django.shortcuts import get_object_or_404
from django.urls import path
from guide.models import Customer, Order, Tag
from guide.support import (
    CustomerSerializer,
    OrderSerializer,
    TagSerializer,
    client_of,
    customer,
    follow,
    names,
    order,
    orders,
    refused,
)
from rest_framework import generics, mixins, serializers
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import IsAdminUser
from rest_framework.response import Response


class CustomerList(generics.ListCreateAPIView):
    queryset = Customer.objects.all()
    serializer_class = CustomerSerializer


class CustomerDetail(generics.RetrieveUpdateDestroyAPIView):
    queryset = Customer.objects.all()
    serializer_class = CustomerSerializer


def test_list_create_view_lists_and_creates(mount, api):
    mount(path("customers/", CustomerList.as_view()))
    response = api.post("/api/v1/customers/", {"name": "Bo", "email": "bo@example.com"}, format="json")
    assert response.status_code == 201, response.content
    assert response.json()["id"] == Customer.objects.get().pk
    customer("Ada")
    assert names(api.get("/api/v1/customers/")) == ["Ada", "Bo"]


def test_detail_view_retrieves_updates_and_destroys(mount, api):
    mount(path("customers/<int:pk>/", CustomerDetail.as_view()))
    url = f"/api/v1/customers/{customer().pk}/"
    assert api.get(url).json()["name"] == "Ada"
    assert api.put(url, {"name": "Bo", "email": "bo@example.com"}, format="json").json()["name"] == "Bo"
    assert api.patch(url, {"name": "Cy"}, format="json").json()["email"] == "bo@example.com"
    assert refused(api.put(url, {"name": "Di"}, format="json"), "email")
    response = api.delete(url)
    assert (response.status_code, response.content) == (204, b"")
    assert api.get(url).status_code == 404


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
def test_row_that_is_missing_is_not_found(mount, api, method):
    mount(path("customers/<int:pk>/", CustomerDetail.as_view()))
    assert getattr(api, method)("/api/v1/customers/77/", {}, format="json").status_code == 404
    assert not Customer.objects.exists()


def test_views_with_one_method_have_no_other(mount, api):
    options = {"queryset": Customer.objects.all(), "serializer_class": CustomerSerializer}
    views = {
        "get": generics.RetrieveAPIView,
        "patch": generics.UpdateAPIView,
        "delete": generics.DestroyAPIView,
        "post": generics.CreateAPIView,
    }
    mount(*(path(f"{method}/<int:pk>/", view.as_view(**options)) for method, view in views.items()))
    key = customer().pk
    good = {"get": 200, "patch": 200, "post": 201, "delete": 204}
    for allowed in views:
        for method, status in good.items():
            if allowed == method:
                continue
            response = getattr(api, method)(f"/api/v1/{allowed}/{key}/")
            assert response.status_code == 405, (allowed, method, status)
    assert api.get(f"/api/v1/get/{key}/").status_code == 200
    assert api.patch(f"/api/v1/patch/{key}/", {"name": "Bo"}).status_code == 200
    assert api.post(f"/api/v1/post/{key}/", {"name": "Cy", "email": "cy@example.com"}).status_code == 201
    assert api.delete(f"/api/v1/delete/{key}/").status_code == 204


def test_attributes_of_a_generic_view_may_stand_in_the_urls(mount, api):
    view = generics.ListCreateAPIView.as_view(queryset=Customer.objects.all(), serializer_class=CustomerSerializer)
    mount(path("customers/", view, name="customer-list"))
    customer("Ada")
    assert names(api.get("/api/v1/customers/")) == ["Ada"]


def test_list_of_the_view_returns_its_own_response(mount, api):
    class Everything(generics.ListAPIView):
        queryset = Customer.objects.all()
        serializer_class = CustomerSerializer

        def list(self, request):
            return Response(self.get_serializer(self.get_queryset(), many=True).data)

    mount(path("customers/", Everything.as_view()))
    for number in range(25):
        customer(f"Name {number:02}")
    assert [row["name"] for row in api.get("/api/v1/customers/").json()] == [f"Name {n:02}" for n in range(25)]


def test_get_queryset_returns_the_rows_of_the_user(mount, ann, bob):
    class OwnOrders(generics.ListAPIView):
        serializer_class = OrderSerializer

        def get_queryset(self):
            return self.request.user.orders.all()

    mount(path("orders/", OwnOrders.as_view()))
    mine = [row.pk for row in orders(25, owner=ann)]
    orders(3, owner=bob)
    assert [row["id"] for row in follow(client_of(ann), "/api/v1/orders/")] == mine[::-1]


def test_row_of_another_user_is_not_found(mount, ann, bob):
    class OwnOrder(generics.RetrieveUpdateDestroyAPIView):
        serializer_class = OrderSerializer

        def get_queryset(self):
            return Order.objects.filter(owner=self.request.user)

    mount(path("orders/<int:pk>/", OwnOrder.as_view()))
    url = f"/api/v1/orders/{order(owner=ann).pk}/"
    for method in ("get", "patch", "delete"):
        assert getattr(client_of(bob), method)(url).status_code == 404
    assert client_of(ann).patch(url, {"note": "x"}, format="json").json()["note"] == "x"
    assert client_of(ann).delete(url).status_code == 204


def test_get_object_of_the_view_returns_the_row(mount, ann):
    class Latest(generics.RetrieveUpdateAPIView):
        queryset = Order.objects.all()
        serializer_class = OrderSerializer

        def get_object(self):
            found = self.get_queryset().filter(owner=self.request.user).first()
            self.check_object_permissions(self.request, found)
            return found

    mount(path("orders/latest/", Latest.as_view()))
    last = orders(3, owner=ann)[-1]
    assert client_of(ann).get("/api/v1/orders/latest/").json()["id"] == last.pk
    assert client_of(ann).patch("/api/v1/orders/latest/", {"note": "x"}, format="json").status_code == 200
    last.refresh_from_db()
    assert last.note == "x"


def test_get_serializer_class_depends_on_the_user(mount, ann, staff):
    class Short(serializers.ModelSerializer):
        class Meta:
            model = Customer
            fields = ["name"]

    class ByUser(generics.ListAPIView):
        queryset = Customer.objects.all()

        def get_serializer_class(self):
            return CustomerSerializer if self.request.user.is_staff else Short

    mount(path("customers/", ByUser.as_view()))
    customer()
    assert client_of(ann).get("/api/v1/customers/").json()["results"] == [{"name": "Ada"}]
    assert "email" in client_of(staff).get("/api/v1/customers/").json()["results"][0]


def test_perform_create_saves_the_user_as_owner(mount, ann):
    class Orders(generics.ListCreateAPIView):
        queryset = Order.objects.all()
        serializer_class = OrderSerializer

        def perform_create(self, serializer):
            serializer.save(owner=self.request.user)

    mount(path("orders/", Orders.as_view()))
    response = client_of(ann).post("/api/v1/orders/", {"customer": customer().pk}, format="json")
    assert response.status_code == 201, response.content
    assert response.json()["owner"] == ann.pk


def test_perform_create_refuses_a_row(mount, api):
    class OneOrder(generics.CreateAPIView):
        queryset = Order.objects.all()
        serializer_class = OrderSerializer

        def perform_create(self, serializer):
            if self.get_queryset().exists():
                raise ValidationError("There is an order.")
            serializer.save()

    mount(path("orders/", OneOrder.as_view()))
    body = {"customer": customer().pk}
    assert api.post("/api/v1/orders/", body, format="json").status_code == 201
    response = api.post("/api/v1/orders/", body, format="json")
    assert response.status_code == 400
    assert "There is an order." in response.content.decode()


def test_perform_update_and_perform_destroy_do_more(mount, api):
    class Soft(generics.RetrieveUpdateDestroyAPIView):
        queryset = Order.objects.all()
        serializer_class = OrderSerializer

        def perform_update(self, serializer):
            saved = serializer.save()
            Tag.objects.create(name=f"changed {saved.pk}", slug="changed")

        def perform_destroy(self, instance):
            instance.note = "destroyed"
            instance.save()

    mount(path("orders/<int:pk>/", Soft.as_view()))
    row = order()
    assert api.patch(f"/api/v1/orders/{row.pk}/", {"gift": True}, format="json").status_code == 200
    assert Tag.objects.get().name == f"changed {row.pk}"
    assert api.delete(f"/api/v1/orders/{row.pk}/").status_code == 204
    assert Order.objects.get().note == "destroyed"


def test_lookup_field_finds_a_row_by_its_slug(mount, api):
    class Detail(generics.RetrieveUpdateAPIView):
        queryset = Tag.objects.all()
        serializer_class = TagSerializer
        lookup_field = "slug"

    mount(path("tags/<slug:slug>/", Detail.as_view()))
    Tag.objects.create(name="Red", slug="dark-red")
    assert api.get("/api/v1/tags/dark-red/").json()["name"] == "Red"
    assert api.patch("/api/v1/tags/dark-red/", {"name": "New"}, format="json").json()["name"] == "New"


def test_lookup_url_kwarg_names_the_part_of_the_url(mount, api):
    class Detail(generics.RetrieveAPIView):
        queryset = Tag.objects.all()
        serializer_class = TagSerializer
        lookup_field = "slug"
        lookup_url_kwarg = "label"

    mount(path("tags/<slug:label>/", Detail.as_view()))
    Tag.objects.create(name="Red", slug="red")
    assert api.get("/api/v1/tags/red/").json()["name"] == "Red"


def test_mixin_looks_up_by_several_fields(mount, api):
    class MultipleFieldLookupMixin:
        def get_object(self):
            queryset = self.filter_queryset(self.get_queryset())
            found = get_object_or_404(queryset, **{name: self.kwargs[name] for name in self.lookup_fields})
            self.check_object_permissions(self.request, found)
            return found

    class Detail(MultipleFieldLookupMixin, generics.RetrieveAPIView):
        queryset = Order.objects.all()
        serializer_class = OrderSerializer
        lookup_fields = ["customer", "status"]

    mount(path("orders/<int:customer>/<str:status>/", Detail.as_view()))
    row = order(status="paid")
    assert api.get(f"/api/v1/orders/{row.customer_id}/paid/").json()["id"] == row.pk
    assert api.get(f"/api/v1/orders/{row.customer_id}/sent/").status_code == 404


def test_handlers_call_the_actions_of_mixins(mount, api):
    class Customers(mixins.ListModelMixin, mixins.CreateModelMixin, generics.GenericAPIView):
        queryset = Customer.objects.all()
        serializer_class = CustomerSerializer

        def get(self, request, *args, **kwargs):
            return self.list(request, *args, **kwargs)

        def post(self, request, *args, **kwargs):
            return self.create(request, *args, **kwargs)

    mount(path("customers/", Customers.as_view()))
    assert api.post("/api/v1/customers/", {"name": "Ada", "email": "ada@example.com"}).status_code == 201
    assert names(api.get("/api/v1/customers/")) == ["Ada"]


def test_generic_view_with_a_serializer_alone(mount, reader):
    class Contact(serializers.Serializer):
        email = serializers.EmailField()

        def create(self, validated_data):
            return validated_data

    mount(path("contact/", generics.CreateAPIView.as_view(serializer_class=Contact)))
    response = client_of(reader).post("/api/v1/contact/", {"email": "a@example.com"}, format="json")
    assert (response.status_code, response.json()) == (201, {"email": "a@example.com"})
    assert refused(client_of(reader).post("/api/v1/contact/", {"email": "none"}, format="json"), "email")


def test_get_serializer_context_gives_more_to_the_serializer(mount, api):
    class Greeting(serializers.Serializer):
        text = serializers.SerializerMethodField()

        def get_text(self, row):
            return f"{self.context['greeting']} {row.name} of {type(self.context['view']).__name__}"

    class Greetings(generics.ListAPIView):
        queryset = Customer.objects.all()
        serializer_class = Greeting

        def get_serializer_context(self):
            return {**super().get_serializer_context(), "greeting": "Hello"}

    mount(path("greetings/", Greetings.as_view()))
    customer()
    assert api.get("/api/v1/greetings/").json()["results"] == [{"text": "Hello Ada of Greetings"}]


def test_filter_queryset_of_the_view_chooses_its_backends(mount, api):
    class OnlyNew:
        def filter_queryset(self, request, queryset, view):
            return queryset.filter(status="new")

    class Orders(generics.ListAPIView):
        queryset = Order.objects.all()
        serializer_class = OrderSerializer

        def filter_queryset(self, queryset):
            if "all" in self.request.query_params:
                return queryset
            return OnlyNew().filter_queryset(self.request, queryset, self)

    mount(path("orders/", Orders.as_view()))
    order(status="new")
    order(status="sent")
    assert names(api.get("/api/v1/orders/"), "status") == ["new"]
    assert len(names(api.get("/api/v1/orders/?all=1"), "status")) == 2


def test_list_of_staff_alone(mount, ann, staff):
    class Customers(generics.ListCreateAPIView):
        queryset = Customer.objects.all()
        serializer_class = CustomerSerializer
        permission_classes = [IsAdminUser]

    mount(path("customers/", Customers.as_view()))
    assert client_of(ann).get("/api/v1/customers/").status_code == 403
    assert client_of(staff).get("/api/v1/customers/").status_code == 200
