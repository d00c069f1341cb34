"""Relations of serializers, hyperlinks and reversed URLs."""

import pytest
from django.urls import path
from guide.models import Customer, Order, Tag
from guide.support import CustomerSerializer, OrderSerializer, TagSerializer, client_of, customer, order, refused
from rest_framework import generics, serializers, viewsets
from rest_framework.decorators import api_view
from rest_framework.response import Response
from rest_framework.reverse import reverse, reverse_lazy

URL = "/api/v1/orders/"


class Customers(viewsets.ModelViewSet):
    queryset = Customer.objects.all()
    serializer_class = CustomerSerializer


class Tags(viewsets.ModelViewSet):
    queryset = Tag.objects.order_by("name")
    serializer_class = TagSerializer
    lookup_field = "slug"


class Orders(viewsets.ModelViewSet):
    queryset = Order.objects.all()
    serializer_class = OrderSerializer


def served(mount, base=serializers.ModelSerializer, extra=None, model=Order, **fields):
    """Serve orders or customers by a serializer of these fields."""
    options = {"model": model, "fields": ["id", *(extra or ()), *fields]}
    serializer = type("Serializer", (base,), {**fields, "Meta": type("Meta", (), options)})
    views = {"orders": Orders, "customers": Customers, "tags": Tags}
    changed = "orders" if model is Order else "customers"
    views[changed] = type("View", (views[changed],), {"serializer_class": serializer})
    mount(**views)


@pytest.fixture
def tags():
    return [Tag.objects.create(name=name, slug=name.lower()) for name in ("Red", "Blue")]


def test_foreign_key_is_written_as_a_primary_key(mount, api):
    mount(orders=Orders)
    response = api.post(URL, {"customer": customer().pk}, format="json")
    assert response.status_code == 201, response.content
    assert response.json()["customer"] == customer().pk


@pytest.mark.parametrize("wrong", [99, "x", None, {}, [1], "http://testserver/api/v1/customers/1/"])
def test_primary_key_of_no_row_is_refused(mount, api, wrong):
    mount(orders=Orders)
    assert refused(api.post(URL, {"customer": wrong}, format="json"), "customer")


def test_many_primary_keys(mount, api, tags):
    mount(orders=Orders)
    keys = [tag.pk for tag in tags]
    response = api.post(URL, {"customer": customer().pk, "tags": keys}, format="json")
    assert sorted(response.json()["tags"]) == sorted(keys)
    url = f"{URL}{response.json()['id']}/"
    assert api.patch(url, {"tags": keys[:1]}, format="json").json()["tags"] == keys[:1]
    assert refused(api.patch(url, {"tags": [99]}, format="json"), "tags")


def test_string_related_field(mount, api, tags):
    served(mount, customer=serializers.StringRelatedField(), tags=serializers.StringRelatedField(many=True))
    row = order()
    row.tags.set(tags[:1])
    assert api.get(f"{URL}{row.pk}/").json() == {"id": row.pk, "customer": "Ada", "tags": ["Red"]}


def test_slug_related_field_reads_and_writes(mount, api, tags):
    served(
        mount,
        customer=serializers.SlugRelatedField(slug_field="email", queryset=Customer.objects.all()),
        tags=serializers.SlugRelatedField(slug_field="slug", many=True, queryset=Tag.objects.all()),
    )
    customer()
    response = api.post(URL, {"customer": "ada@example.com", "tags": ["red"]}, format="json")
    assert response.status_code == 201, response.content
    assert (response.json()["customer"], response.json()["tags"]) == ("ada@example.com", ["red"])
    assert refused(api.post(URL, {"customer": "none", "tags": ["green"]}, format="json"), "customer", "tags")


def test_reverse_relation_is_read_by_its_name(mount, api):
    served(
        mount,
        model=Customer,
        extra=["name"],
        orders=serializers.PrimaryKeyRelatedField(many=True, read_only=True),
    )
    row = order()
    expected = {"id": row.customer_id, "name": "Ada", "orders": [row.pk]}
    assert api.get(f"/api/v1/customers/{row.customer_id}/").json() == expected


def test_hyperlinked_serializer_reads_urls(mount, api):
    served(mount, base=serializers.HyperlinkedModelSerializer, extra=["url", "customer", "note"])
    row = order()
    expected = {
        "id": row.pk,
        "url": f"http://testserver{URL}{row.pk}/",
        "customer": f"http://testserver/api/v1/customers/{row.customer_id}/",
        "note": None,
    }
    assert api.get(f"{URL}{row.pk}/").json() == expected
    assert api.get(URL).json()["results"] == [expected]
    assert api.get(expected["customer"]).json()["name"] == "Ada"


def test_hyperlinked_serializer_writes_urls(mount, api):
    served(mount, base=serializers.HyperlinkedModelSerializer, extra=["url", "customer"])
    of = f"http://testserver/api/v1/customers/{customer().pk}/"
    for link in (of, of.removeprefix("http://testserver")):
        response = api.post(URL, {"customer": link}, format="json")
        assert response.status_code == 201, response.content
        assert response.json()["customer"] == of
    for wrong in ("/api/v1/customers/99/", "/api/v1/orders/1/", "/nowhere/", 1, ""):
        assert refused(api.post(URL, {"customer": wrong}, format="json"), "customer"), wrong


def test_location_header_is_the_url_of_the_new_row(mount, api):
    served(mount, base=serializers.HyperlinkedModelSerializer, extra=["url", "name", "email"], model=Customer)
    response = api.post("/api/v1/customers/", {"name": "Ada", "email": "ada@example.com"}, format="json")
    assert response.status_code == 201, response.content
    assert response["Location"] == response.json()["url"]
    assert api.get(response["Location"]).json() == response.json()


def test_response_without_a_url_has_no_location_header(mount, api):
    mount(customers=Customers)
    response = api.post("/api/v1/customers/", {"name": "Ada", "email": "ada@example.com"}, format="json")
    assert response.status_code == 201
    assert "Location" not in response


def test_hyperlinked_fields_with_a_lookup_field(mount, api, tags):
    served(
        mount,
        tags=serializers.HyperlinkedRelatedField(
            view_name="tag-detail", lookup_field="slug", many=True, queryset=Tag.objects.all()
        ),
        link=serializers.HyperlinkedIdentityField(view_name="order-detail"),
    )
    row = order()
    response = api.patch(f"{URL}{row.pk}/", {"tags": ["/api/v1/tags/blue/"]}, format="json")
    assert response.json() == {
        "id": row.pk,
        "tags": ["http://testserver/api/v1/tags/blue/"],
        "link": f"http://testserver{URL}{row.pk}/",
    }
    assert refused(api.patch(f"{URL}{row.pk}/", {"tags": ["/api/v1/tags/green/"]}, format="json"), "tags")


def test_hyperlinked_serializer_with_a_lookup_field(mount, api, tags):
    class TagLinks(serializers.HyperlinkedModelSerializer):
        class Meta:
            model = Tag
            fields = ["url", "name", "slug"]
            extra_kwargs = {"url": {"lookup_field": "slug"}}

    mount(tags=type("View", (Tags,), {"serializer_class": TagLinks}))
    assert [row["url"] for row in api.get("/api/v1/tags/").json()["results"]] == [
        "http://testserver/api/v1/tags/blue/",
        "http://testserver/api/v1/tags/red/",
    ]


def test_hyperlink_with_two_lookup_fields(mount, api):
    class OrderLink(serializers.HyperlinkedRelatedField):
        view_name = "order-of-customer"
        queryset = Order.objects.all()

        def get_url(self, obj, view_name, request, format):
            return reverse(view_name, args=[obj.customer_id, obj.pk], request=request, format=format)

        def get_object(self, view_name, view_args, view_kwargs):
            return self.get_queryset().get(customer=view_kwargs["customer"], pk=view_kwargs["pk"])

    class Links(serializers.Serializer):
        orders = OrderLink(many=True)

        def update(self, instance, validated_data):
            instance.orders.set(validated_data["orders"])
            return instance

    @api_view(["GET"])
    def one(request, customer, pk):
        return Response({"pk": pk})

    view = generics.RetrieveUpdateAPIView.as_view(queryset=Customer.objects.all(), serializer_class=Links)
    mount(
        path("customers/<int:customer>/orders/<int:pk>/", one, name="order-of-customer"),
        path("links/<int:pk>/", view),
    )
    row = order()
    of = row.customer_id
    links = api.get(f"/api/v1/links/{of}/").json()["orders"]
    assert links == [f"http://testserver/api/v1/customers/{of}/orders/{row.pk}/"]
    assert api.put(f"/api/v1/links/{of}/", {"orders": links}, format="json").json() == {"orders": links}
    wrong = {"orders": ["/api/v1/customers/99/orders/1/"]}
    assert refused(api.put(f"/api/v1/links/{of}/", wrong, format="json"), "orders")


def test_custom_related_field(mount, api, tags):
    class Listing(serializers.RelatedField):
        def to_representation(self, value):
            return f"{value.slug}: {value.name}"

        def to_internal_value(self, data):
            return self.get_queryset().get(slug=data.partition(":")[0])

    served(mount, tags=Listing(many=True, queryset=Tag.objects.all()))
    row = order()
    assert api.patch(f"{URL}{row.pk}/", {"tags": ["red: Red"]}, format="json").json()["tags"] == ["red: Red"]


def test_rows_to_choose_from_depend_on_the_user(mount, ann, bob):
    class OwnOrder(serializers.PrimaryKeyRelatedField):
        def get_queryset(self):
            return Order.objects.filter(owner=self.context["request"].user)

    class Choice(serializers.Serializer):
        order = OwnOrder()

    class Choose(generics.GenericAPIView):
        serializer_class = Choice

        def post(self, request):
            serializer = self.get_serializer(data=request.data)
            serializer.is_valid(raise_exception=True)
            return Response(self.get_serializer(serializer.validated_data).data)

    mount(path("choose/", Choose.as_view()))
    row = order(owner=ann)
    assert client_of(ann).post("/api/v1/choose/", {"order": row.pk}, format="json").json() == {"order": row.pk}
    assert refused(client_of(bob).post("/api/v1/choose/", {"order": row.pk}, format="json"), "order")


def test_row_is_written_by_its_key_and_read_in_full(mount, api):
    class Full(OrderSerializer):
        def to_representation(self, instance):
            shown = super().to_representation(instance)
            return {**shown, "customer": CustomerSerializer(instance.customer, context=self.context).data}

    mount(orders=type("View", (Orders,), {"serializer_class": Full}))
    response = api.post(URL, {"customer": customer().pk}, format="json")
    assert response.status_code == 201, response.content
    assert response.json()["customer"]["name"] == "Ada"


def test_reverse_makes_absolute_urls(mount, api):
    @api_view(["GET"])
    def root(request):
        return Response(
            {
                "customers": reverse("customer-list", request=request),
                "customer": reverse("customer-detail", args=[7], request=request),
                "tags": str(reverse_lazy("tag-list", request=request)),
            }
        )

    mount(path("", root), customers=Customers, tags=Tags)
    assert api.get("/api/v1/").json() == {
        "customers": "http://testserver/api/v1/customers/",
        "customer": "http://testserver/api/v1/customers/7/",
        "tags": "http://testserver/api/v1/tags/",
    }
