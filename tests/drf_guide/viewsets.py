"""Viewsets and their extra actions."""

from http import HTTPMethod

from django.shortcuts import get_object_or_404
from django.urls import path
from guide.models import Customer, Order
from guide.support import (
    CustomerSerializer,
    OrderSerializer,
    client_of,
    customer,
    follow,
    names,
    order,
    orders,
    refused,
)
from rest_framework import mixins, permissions, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter


class CustomerViewSet(viewsets.ModelViewSet):
    queryset = Customer.objects.all()
    serializer_class = CustomerSerializer


class OrderViewSet(viewsets.ModelViewSet):
    queryset = Order.objects.all()
    serializer_class = OrderSerializer

    @action(detail=True, methods=["post"])
    def pay(self, request, pk=None):
        found = self.get_object()
        found.status = Order.Status.PAID
        found.save()
        return Response({"status": found.status})

    @action(detail=False)
    def unpaid(self, request):
        return Response(self.get_serializer(self.get_queryset().filter(status="new"), many=True).data)

    @action(detail=False)
    def recent(self, request):
        recent = Order.objects.all().order_by("-placed_at")
        page = self.paginate_queryset(recent)
        if page is not None:
            return self.get_paginated_response(self.get_serializer(page, many=True).data)
        return Response(self.get_serializer(recent, many=True).data)

    @action(detail=False)
    def cheaper(self, request):
        limit = request.query_params.get("than", "0")
        return Response({"count": self.filter_queryset(self.get_queryset()).filter(total__lt=limit).count()})

    @action(detail=True, methods=["get"], url_path="total-price", url_name="price")
    def total_price(self, request, pk=None):
        return Response({"total": self.get_object().total})

    @action(detail=True, methods=[HTTPMethod.POST, HTTPMethod.DELETE])
    def wrapping(self, request, pk=None):
        found = self.get_object()
        found.gift = request.method == "POST"
        found.save()
        return Response(status=status.HTTP_204_NO_CONTENT)

    @action(detail=True, methods=["put"], name="Change the note")
    def note(self, request, pk=None):
        found = self.get_object()
        found.note = request.data["note"]
        found.save()
        return Response({"note": found.note})

    @note.mapping.delete
    def delete_note(self, request, pk=None):
        found = self.get_object()
        found.note = None
        found.save()
        return Response(status=status.HTTP_204_NO_CONTENT)

    @action(detail=False, methods=["post"], permission_classes=[permissions.IsAdminUser])
    def purge(self, request):
        return Response({"purged": self.get_queryset().delete()[0]})

    @action(detail=False, methods=["post"], serializer_class=CustomerSerializer)
    def register(self, request):
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        serializer.save()
        return Response(serializer.data, status=status.HTTP_201_CREATED)

    @action(detail=True, url_path="lines/(?P<product>[a-z]+)")
    def line(self, request, pk=None, product=None):
        return Response({"order": self.get_object().pk, "product": product})

    @action(detail=True)
    def links(self, request, pk=None):
        return Response(
            [
                self.reverse_action("list"),
                self.reverse_action("detail", args=[pk]),
                self.reverse_action(self.total_price.url_name, args=[pk]),
            ]
        )


def test_view_set_without_a_model(mount_versions, reader):
    class Squares(viewsets.ViewSet):
        def list(self, request):
            return Response([1, 4, 9])

        def create(self, request):
            return Response({"square": request.data["number"] ** 2}, status=status.HTTP_201_CREATED)

        def retrieve(self, request, pk=None):
            return Response({"square": int(pk) ** 2})

        def update(self, request, pk=None):
            return Response({"updated": pk})

        def partial_update(self, request, pk=None):
            return Response({"patched": pk})

        def destroy(self, request, pk=None):
            return Response(status=status.HTTP_204_NO_CONTENT)

    router = SimpleRouter()
    router.register("squares", Squares, basename="square")
    mount_versions(v1=router.urls)
    client = client_of(reader)
    assert client.get("/api/v1/squares/").json() == [1, 4, 9]
    assert client.post("/api/v1/squares/", {"number": 5}, format="json").json() == {"square": 25}
    assert client.get("/api/v1/squares/7/").json() == {"square": 49}
    assert client.put("/api/v1/squares/7/", {}, format="json").json() == {"updated": "7"}
    assert client.patch("/api/v1/squares/7/", {}, format="json").json() == {"patched": "7"}
    assert client.delete("/api/v1/squares/7/").status_code == 204


def test_view_set_returns_rows_without_a_queryset_attribute(mount_versions, api):
    class Customers(viewsets.ViewSet):
        def list(self, request):
            return Response(CustomerSerializer(Customer.objects.all(), many=True).data)

        def retrieve(self, request, pk=None):
            return Response(CustomerSerializer(get_object_or_404(Customer.objects.all(), pk=pk)).data)

    router = SimpleRouter()
    router.register("customers", Customers, basename="customer")
    mount_versions(v1=router.urls)
    assert api.get(f"/api/v1/customers/{customer().pk}/").json()["name"] == "Ada"
    assert api.get("/api/v1/customers/99/").status_code == 404
    assert len(api.get("/api/v1/customers/").json()) == 1


def test_view_set_is_mapped_to_methods_without_a_router(mount, api):
    mount(
        path("customers/", CustomerViewSet.as_view({"get": "list"})),
        path("customers/<int:pk>/", CustomerViewSet.as_view({"get": "retrieve", "delete": "destroy"})),
    )
    url = f"/api/v1/customers/{customer().pk}/"
    assert names(api.get("/api/v1/customers/")) == ["Ada"]
    assert api.post("/api/v1/customers/", {}).status_code == 405
    assert api.delete(url).status_code == 204


def test_model_view_set_has_all_actions(mount, api):
    mount(customers=CustomerViewSet)
    created = api.post("/api/v1/customers/", {"name": "Ada", "email": "ada@example.com"}, format="json")
    assert created.status_code == 201, created.content
    url = f"/api/v1/customers/{created.json()['id']}/"
    assert api.put(url, {"name": "Bo", "email": "ada@example.com"}, format="json").status_code == 200
    assert api.patch(url, {"email": "bo@example.com"}, format="json").json()["name"] == "Bo"
    assert api.get(url).json() == {"id": created.json()["id"], "name": "Bo", "email": "bo@example.com"}
    assert names(api.get("/api/v1/customers/")) == ["Bo"]
    assert api.delete(url).status_code == 204
    assert api.get(url).status_code == 404


def test_model_view_set_refuses_invalid_data(mount, api):
    mount(orders=OrderViewSet)
    response = api.post("/api/v1/orders/", {"customer": 99, "status": "lost", "total": "x"}, format="json")
    assert refused(response, "customer", "status", "total")
    assert not Order.objects.exists()


def test_read_only_model_view_set_refuses_to_write(mount, api):
    class Customers(viewsets.ReadOnlyModelViewSet):
        queryset = Customer.objects.all()
        serializer_class = CustomerSerializer

    mount(customers=Customers)
    url = f"/api/v1/customers/{customer().pk}/"
    assert api.get(url).status_code == 200
    assert api.get("/api/v1/customers/").status_code == 200
    assert api.post("/api/v1/customers/", {}).status_code == 405
    assert {getattr(api, method)(url).status_code for method in ("put", "patch", "delete")} == {405}


def test_view_set_of_chosen_mixins(mount, api):
    class CreateListRetrieveViewSet(
        mixins.CreateModelMixin, mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet
    ):
        pass

    class Customers(CreateListRetrieveViewSet):
        queryset = Customer.objects.all()
        serializer_class = CustomerSerializer

    mount(customers=Customers)
    response = api.post("/api/v1/customers/", {"name": "Ada", "email": "ada@example.com"})
    assert response.status_code == 201
    url = f"/api/v1/customers/{response.json()['id']}/"
    assert api.get(url).status_code == 200
    assert api.patch(url).status_code == api.delete(url).status_code == 405


def test_view_set_with_get_queryset_has_a_basename(mount_versions, ann, bob):
    class OwnOrders(viewsets.ModelViewSet):
        serializer_class = OrderSerializer

        def get_queryset(self):
            return self.request.user.orders.all()

        def perform_create(self, serializer):
            serializer.save(owner=self.request.user)

    router = SimpleRouter()
    router.register("orders", OwnOrders, basename="order")
    mount_versions(v1=router.urls)
    created = client_of(ann).post("/api/v1/orders/", {"customer": customer().pk}, format="json")
    assert created.status_code == 201, created.content
    url = f"/api/v1/orders/{created.json()['id']}/"
    assert client_of(bob).get(url).status_code == client_of(bob).delete(url).status_code == 404
    assert client_of(bob).get("/api/v1/orders/").json()["results"] == []
    assert client_of(ann).patch(url, {"note": "x"}, format="json").status_code == 200


def test_action_for_one_row(mount, api):
    mount(orders=OrderViewSet)
    row = order()
    assert api.post(f"/api/v1/orders/{row.pk}/pay/").json() == {"status": "paid"}
    assert api.get(f"/api/v1/orders/{row.pk}/pay/").status_code == 405
    assert api.post("/api/v1/orders/99/pay/").status_code == 404


def test_action_for_the_list(mount, api):
    mount(orders=OrderViewSet)
    new = order()
    order(status="paid")
    assert [row["id"] for row in api.get("/api/v1/orders/unpaid/").json()] == [new.pk]


def test_action_has_pages(mount, api):
    mount(orders=OrderViewSet)
    rows = orders(45)
    assert [row["id"] for row in follow(api, "/api/v1/orders/recent/")] == [row.pk for row in reversed(rows)]


def test_action_reads_query_parameters_of_its_own(mount, api):
    mount(orders=OrderViewSet)
    orders(6)
    assert api.get("/api/v1/orders/cheaper/?than=2").json() == {"count": 4}


def test_action_has_a_path_and_a_name_of_its_own(mount, api):
    mount(orders=OrderViewSet)
    row = order(total=5)
    assert api.get(f"/api/v1/orders/{row.pk}/total-price/").status_code == 200
    assert api.get(f"/api/v1/orders/{row.pk}/total_price/").status_code == 404
    assert api.get(f"/api/v1/orders/{row.pk}/links/").json() == [
        "http://testserver/api/v1/orders/",
        f"http://testserver/api/v1/orders/{row.pk}/",
        f"http://testserver/api/v1/orders/{row.pk}/total-price/",
    ]


def test_action_has_several_methods(mount, api):
    mount(orders=OrderViewSet)
    row = order()
    for method, gift in (("post", True), ("delete", False)):
        assert getattr(api, method)(f"/api/v1/orders/{row.pk}/wrapping/").status_code == 204
        row.refresh_from_db()
        assert row.gift is gift


def test_methods_of_an_action_are_mapped_to_functions_of_their_own(mount, api):
    mount(orders=OrderViewSet)
    url = f"/api/v1/orders/{order().pk}/note/"
    assert api.put(url, {"note": "x"}, format="json").json() == {"note": "x"}
    assert api.delete(url).status_code == 204
    assert Order.objects.get().note is None
    assert api.get(url).status_code == 405


def test_action_has_permissions_of_its_own(mount, ann, staff):
    mount(orders=OrderViewSet)
    order()
    assert client_of(ann).post("/api/v1/orders/purge/").status_code == 403
    assert client_of(staff).post("/api/v1/orders/purge/").json() == {"purged": 1}


def test_action_has_a_serializer_of_its_own(mount, api):
    mount(orders=OrderViewSet)
    response = api.post("/api/v1/orders/register/", {"name": "Ada", "email": "ada@example.com"})
    assert (response.status_code, response.json()["name"]) == (201, "Ada")
    assert refused(api.post("/api/v1/orders/register/", {"name": "Bo"}), "email")


def test_action_has_a_path_with_a_parameter(mount, api):
    mount(orders=OrderViewSet)
    row = order()
    assert api.get(f"/api/v1/orders/{row.pk}/lines/tea/").json() == {"order": row.pk, "product": "tea"}
    assert api.get(f"/api/v1/orders/{row.pk}/lines/7/").status_code == 404


def test_get_permissions_depends_on_the_action(mount, ann, staff):
    class Customers(viewsets.ModelViewSet):
        queryset = Customer.objects.all()
        serializer_class = CustomerSerializer

        def get_permissions(self):
            needed = [permissions.IsAuthenticated] if self.action == "list" else [permissions.IsAdminUser]
            return [permission() for permission in needed]

    mount(customers=Customers)
    url = f"/api/v1/customers/{customer().pk}/"
    assert client_of(ann).get("/api/v1/customers/").status_code == 200
    assert client_of(ann).get(url).status_code == 403
    assert client_of(staff).delete(url).status_code == 204


def test_get_serializer_class_depends_on_the_action(mount, api):
    class Full(serializers.ModelSerializer):
        customer = CustomerSerializer(read_only=True)

        class Meta:
            model = Order
            fields = ["id", "customer", "note"]

    class Orders(viewsets.ModelViewSet):
        queryset = Order.objects.all()

        def get_serializer_class(self):
            return Full if self.action == "retrieve" else OrderSerializer

    mount(orders=Orders)
    created = api.post("/api/v1/orders/", {"customer": customer().pk}, format="json").json()
    assert names(api.get("/api/v1/orders/"), "customer") == [created["customer"]]
    assert api.get(f"/api/v1/orders/{created['id']}/").json()["customer"]["name"] == "Ada"


def test_get_queryset_depends_on_the_action(mount, api):
    class Orders(viewsets.ModelViewSet):
        queryset = Order.objects.all()
        serializer_class = OrderSerializer

        def get_queryset(self):
            queryset = super().get_queryset().select_related("customer")
            return queryset.exclude(status="sent") if self.action == "list" else queryset

    mount(orders=Orders)
    sent = order(status="sent")
    assert api.get("/api/v1/orders/").json()["results"] == []
    assert api.get(f"/api/v1/orders/{sent.pk}/").status_code == 200


def test_http_method_names_limit_the_actions(mount, api):
    class Customers(CustomerViewSet):
        http_method_names = ["get", "post", "head", "options"]

    mount(customers=Customers)
    url = f"/api/v1/customers/{customer().pk}/"
    assert api.get(url).status_code == 200
    assert api.patch(url).status_code == api.delete(url).status_code == 405


def test_view_set_knows_its_action_and_basename(mount, api):
    class Customers(viewsets.GenericViewSet):
        queryset = Customer.objects.all()

        def describe(self):
            return Response([self.basename, self.action, self.detail, self.suffix])

        def list(self, request):
            return self.describe()

        def retrieve(self, request, pk=None):
            return self.describe()

    mount(customers=Customers)
    assert api.get("/api/v1/customers/").json() == ["customer", "list", False, "List"]
    assert api.get("/api/v1/customers/1/").json() == ["customer", "retrieve", True, "Instance"]
