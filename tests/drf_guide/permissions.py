"""Permissions."""

import pytest
from django.contrib.auth.models import Permission
from django.urls import path
from guide.models import Customer, Order
from guide.support import CustomerSerializer, OrderSerializer, as_view, client_of, customer, order
from rest_framework import generics, permissions, viewsets
from rest_framework.decorators import api_view, permission_classes
from rest_framework.response import Response
from rest_framework.views import APIView

CUSTOMERS, ORDERS = "/api/v1/customers/", "/api/v1/orders/"
ADA = {"name": "Ada", "email": "ada@example.com"}


class ReadOnly(permissions.BasePermission):
    def has_permission(self, request, view):
        return request.method in permissions.SAFE_METHODS


class IsOwnerOrReadOnly(permissions.BasePermission):
    def has_object_permission(self, request, view, obj):
        return request.method in permissions.SAFE_METHODS or obj.owner == request.user


def served(mount, *classes, **attributes):
    """Serve customers with these permissions."""
    options = {"queryset": Customer.objects.all(), "serializer_class": CustomerSerializer}
    options |= {"permission_classes": list(classes), **attributes}
    mount(customers=type("Customers", (viewsets.ModelViewSet,), options))


def statuses(client):
    """The statuses of reading and of writing."""
    return client.get(CUSTOMERS).status_code, client.post(CUSTOMERS, ADA, format="json").status_code


def test_allow_any(mount, anonymous):
    served(mount, permissions.AllowAny)
    assert statuses(anonymous) == (200, 201)


def test_no_permission_classes_allow_any(mount, anonymous):
    served(mount)
    assert statuses(anonymous) == (200, 201)


def test_is_authenticated(mount, anonymous, reader):
    served(mount, permissions.IsAuthenticated)
    assert set(statuses(anonymous)) <= {401, 403}
    assert statuses(client_of(reader)) == (200, 201)


def test_is_authenticated_or_read_only(mount, anonymous, reader):
    served(mount, permissions.IsAuthenticatedOrReadOnly)
    read, write = statuses(anonymous)
    assert read == 200
    assert write in {401, 403}
    assert statuses(client_of(reader)) == (200, 201)


def test_is_admin_user(mount, ann, staff):
    served(mount, permissions.IsAdminUser)
    assert statuses(client_of(ann)) == (403, 403)
    assert statuses(client_of(staff)) == (200, 201)


def test_owner_alone_may_write(mount, ann, bob):
    class Orders(viewsets.ModelViewSet):
        queryset = Order.objects.all()
        serializer_class = OrderSerializer
        permission_classes = [permissions.IsAuthenticated, IsOwnerOrReadOnly]

    mount(orders=Orders)
    url = f"{ORDERS}{order(owner=ann).pk}/"
    assert client_of(bob).get(url).status_code == 200
    assert client_of(bob).patch(url, {"note": "x"}, format="json").status_code == 403
    assert client_of(bob).delete(url).status_code == 403
    assert client_of(ann).patch(url, {"note": "x"}, format="json").status_code == 200
    assert client_of(ann).delete(url).status_code == 204


def test_object_permissions_in_an_own_view(mount, ann, bob):
    class Detail(APIView):
        permission_classes = [IsOwnerOrReadOnly]

        def delete(self, request, pk):
            found = generics.get_object_or_404(Order.objects.all(), pk=pk)
            self.check_object_permissions(request, found)
            found.delete()
            return Response(status=204)

    mount(path("orders/<int:pk>/", Detail.as_view()))
    url = f"{ORDERS}{order(owner=ann).pk}/"
    assert client_of(bob).delete(url).status_code == 403
    assert client_of(ann).delete(url).status_code == 204


def test_permissions_are_composed_by_or(mount, anonymous, reader):
    served(mount, permissions.IsAuthenticated | ReadOnly)
    read, write = statuses(anonymous)
    assert read == 200
    assert write in {401, 403}
    assert statuses(client_of(reader)) == (200, 201)


def test_permissions_are_composed_by_and_and_not(mount, ann, staff):
    served(mount, permissions.IsAuthenticated & ~permissions.IsAdminUser)
    assert statuses(client_of(staff)) == (403, 403)
    assert statuses(client_of(ann)) == (200, 201)


def test_object_permissions_are_composed(mount, ann, bob, staff):
    class Orders(viewsets.ModelViewSet):
        queryset = Order.objects.all()
        serializer_class = OrderSerializer
        permission_classes = [permissions.IsAdminUser | IsOwnerOrReadOnly]

    mount(orders=Orders)
    row = order(owner=ann)
    url = f"{ORDERS}{row.pk}/"
    assert client_of(bob).patch(url, {"note": "x"}, format="json").status_code == 403
    assert client_of(ann).patch(url, {"note": "x"}, format="json").status_code == 200


def test_refusal_has_the_message_of_the_permission(mount, ann):
    class NoCustomers(permissions.BasePermission):
        message = "New customers are not accepted."
        code = "closed"

        def has_permission(self, request, view):
            return request.method != "POST"

    served(mount, NoCustomers)
    response = client_of(ann).post(CUSTOMERS, ADA, format="json")
    assert response.status_code == 403
    assert "New customers are not accepted." in response.content.decode()


def test_permission_reads_the_request(mount, ann):
    class NotBlocked(permissions.BasePermission):
        def has_permission(self, request, view):
            return request.META["REMOTE_ADDR"] != "192.0.2.1"

    served(mount, NotBlocked)
    assert client_of(ann).get(CUSTOMERS).status_code == 200
    assert client_of(ann).get(CUSTOMERS, REMOTE_ADDR="192.0.2.1").status_code == 403


@pytest.mark.parametrize(("method", "codename"), [("post", "add"), ("patch", "change"), ("delete", "delete")])
def test_django_model_permissions(mount, reader, method, codename):
    served(mount, permissions.DjangoModelPermissions)
    url = CUSTOMERS if method == "post" else f"{CUSTOMERS}{customer('Bo').pk}/"
    assert client_of(reader).get(url).status_code == 200
    assert getattr(client_of(reader), method)(url, ADA, format="json").status_code == 403
    reader.user_permissions.add(Permission.objects.get(codename=f"{codename}_customer"))
    user = type(reader).objects.get(pk=reader.pk)
    assert getattr(client_of(user), method)(url, ADA, format="json").status_code in {200, 201, 204}


def test_django_model_permissions_with_get_queryset(mount, ann, reader):
    class Customers(generics.ListCreateAPIView):
        serializer_class = CustomerSerializer
        permission_classes = [permissions.DjangoModelPermissions]

        def get_queryset(self):
            return Customer.objects.all()

    mount(path("customers/", Customers.as_view()))
    assert statuses(client_of(reader)) == (200, 403)
    assert statuses(client_of(ann)) == (200, 201)


def test_django_model_permissions_or_anonymous_read_only(mount, anonymous, ann, reader):
    served(mount, permissions.DjangoModelPermissionsOrAnonReadOnly)
    read, write = statuses(anonymous)
    assert read == 200
    assert write in {401, 403}
    assert statuses(client_of(reader)) == (200, 403)
    assert statuses(client_of(ann)) == (200, 201)


def test_model_permission_for_viewing(mount, ann, reader):
    class WithView(permissions.DjangoModelPermissions):
        perms_map = {**permissions.DjangoModelPermissions.perms_map, "GET": ["%(app_label)s.view_%(model_name)s"]}

    served(mount, WithView)
    assert client_of(reader).get(CUSTOMERS).status_code == 403
    assert client_of(ann).get(CUSTOMERS).status_code == 200


class OwnersBackend:
    """Permissions for orders that a user owns."""

    def authenticate(self, request, **credentials):
        return None

    def has_perm(self, user, permission, obj=None):
        return obj is not None and obj.owner == user


def test_django_object_permissions(mount, settings, ann, bob):
    class Orders(viewsets.ModelViewSet):
        queryset = Order.objects.all()
        serializer_class = OrderSerializer
        permission_classes = [permissions.DjangoObjectPermissions]

    settings.AUTHENTICATION_BACKENDS = [
        "django.contrib.auth.backends.ModelBackend",
        f"{OwnersBackend.__module__}.{OwnersBackend.__name__}",
    ]
    mount(orders=Orders)
    url = f"{ORDERS}{order(owner=ann).pk}/"
    assert client_of(ann).patch(url, {"note": "x"}, format="json").status_code == 200
    assert client_of(bob).patch(url, {"note": "x"}, format="json").status_code == 403
    assert client_of(bob).delete(url).status_code == 403


def test_function_view_has_permission_classes(mount, anonymous, reader):
    @api_view(["GET", "POST"])
    @permission_classes([permissions.IsAuthenticated | ReadOnly])
    def open_for_reading(request):
        return Response({})

    mount(path("open/", open_for_reading))
    assert anonymous.get("/api/v1/open/").status_code == 200
    assert anonymous.post("/api/v1/open/").status_code in {401, 403}
    assert client_of(reader).post("/api/v1/open/").status_code == 200


def test_list_does_not_check_single_rows(mount, ann, bob):
    mount(
        path(
            "orders/",
            as_view(
                generics.ListAPIView,
                queryset=Order.objects.all(),
                serializer_class=OrderSerializer,
                permission_classes=[permissions.IsAuthenticated, IsOwnerOrReadOnly],
            ),
        )
    )
    order(owner=ann)
    assert len(client_of(bob).get(ORDERS).json()["results"]) == 1
