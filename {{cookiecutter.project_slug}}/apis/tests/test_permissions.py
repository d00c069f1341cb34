"""Who may do what: views are closed by default, and open only what they say themselves."""

from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import path
from rest_framework import permissions, serializers, viewsets
from rest_framework.decorators import action, api_view, permission_classes
from rest_framework.generics import ListCreateAPIView
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import User
from apis.permissions import DjangoModelPermissionsWithView, IsAuthenticatedWithModelPermissions
from apis.tests.conftest import API, api_of
from apis.viewsets import ConditionalModelViewSet
from core.tests.rows import create_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_users_or_groups")]

GROUPS = "/api/v1/groups/"
NEW = {"name": "new"}


class GroupSerializer(serializers.ModelSerializer[Group]):
    class Meta:
        model = Group
        fields = ("id", "name")


class GroupViewSet(ConditionalModelViewSet):
    queryset = Group.objects.order_by("name")
    serializer_class = GroupSerializer


class OwnQueryset(ConditionalModelViewSet):
    """Has no attribute `queryset`."""

    serializer_class = GroupSerializer

    def get_queryset(self) -> Any:
        return Group.objects.order_by("name")


class Open(GroupViewSet):
    permission_classes = (
        permissions.IsAuthenticatedOrReadOnly,
        permissions.DjangoModelPermissionsOrAnonReadOnly,
    )


class Closing(permissions.BasePermission):
    """Refuses rows that are closed; another request closes each row after it was checked."""

    def has_object_permission(self, request: Any, view: Any, obj: Any) -> bool:
        name: str = obj.name
        Group.objects.filter(pk=obj.pk).update(name="closed")
        return name != "closed"


class Private(GroupViewSet):
    permission_classes = (DjangoModelPermissionsWithView,)


class GenericView(ListCreateAPIView[Group]):
    queryset = Group.objects.order_by("name")
    serializer_class = GroupSerializer


class Plain(APIView):
    def get(self, request: Any) -> Response:
        return Response("read")

    def post(self, request: Any) -> Response:
        return Response("written")


@api_view(["GET", "POST"])
def function(request: Any) -> Response:
    return Response("done")


@api_view(["GET", "POST"])
@permission_classes([permissions.AllowAny])
def open_function(request: Any) -> Response:
    return Response("done")


class NoModel(viewsets.ViewSet):
    def list(self, request: Any) -> Response:
        return Response(["read"])

    def create(self, request: Any) -> Response:
        return Response("written")


class NoModelGeneric(viewsets.GenericViewSet[Any]):
    """A generic viewset whose rows are no queryset."""

    def get_queryset(self) -> Any:
        return [1, 2]

    def list(self, request: Any) -> Response:
        return Response(self.get_queryset())

    def create(self, request: Any) -> Response:
        return Response("written")


@pytest.fixture
def group() -> Group:
    return Group.objects.create(name="staff")


def user_with(*names: str) -> API:
    """Return a client of a user with these permissions for groups."""
    user = create_user("-".join(names))
    user.user_permissions.set(Permission.objects.filter(codename__in=[f"{name}_group" for name in names]))
    return api_of(user)


# Views without a model


@pytest.mark.parametrize("view", [Plain.as_view(), function])
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_a_view_without_a_model_is_for_signed_in_users(anon, as_reader, mount, view, method):
    mount(path("plain/", view))
    assert anon(method, "/api/v1/plain/", status=401)["code"] == "not_authenticated"
    assert anon.response["WWW-Authenticate"] == "Token"
    as_reader(method, "/api/v1/plain/", status=200)


@pytest.mark.parametrize("viewset", [NoModel, NoModelGeneric])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_view_set_without_a_model_is_for_signed_in_users(anon, as_reader, mount, viewset, method):
    mount(plain=viewset)
    anon(method, "/api/v1/plain/", status=401)
    as_reader(method, "/api/v1/plain/", status=200)


def test_a_view_without_a_model_opens_by_its_permission_classes(anon, mount):
    mount(path("open/", open_function))
    anon("POST", "/api/v1/open/", status=200)


# Views of a model


@pytest.mark.parametrize("viewset", [GroupViewSet, OwnQueryset])
def test_reading_a_model_needs_a_signed_in_user(anon, as_reader, mount, group, viewset):
    mount(groups=viewset)
    for url in (GROUPS, f"{GROUPS}{group.pk}/"):
        for method in ("GET", "HEAD", "OPTIONS"):
            anon(method, url, status=401)
            as_reader(method, url, status=200)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_reading_a_private_model_needs_the_permission_to_view(anon, as_reader, mount, group, method):
    mount(groups=Private)
    viewer, others = user_with("view"), user_with("add", "change", "delete")
    for url in (GROUPS, f"{GROUPS}{group.pk}/"):
        anon(method, url, status=401)
        as_reader(method, url, status=403)
        others(method, url, status=403)
        viewer(method, url, status=200)


@pytest.mark.parametrize("viewset", [GroupViewSet, OwnQueryset, Open, Private])
@pytest.mark.parametrize(
    ("method", "needed", "others", "status"),
    [
        ("POST", "add", ("change", "delete", "view"), 201),
        ("PUT", "change", ("add", "delete", "view"), 200),
        ("PATCH", "change", ("add", "delete", "view"), 200),
        ("DELETE", "delete", ("add", "change", "view"), 204),
    ],
)
def test_writing_a_model_needs_its_permission(anon, as_reader, mount, group, viewset, method, needed, others, status):
    mount(groups=viewset)
    url = GROUPS if method == "POST" else f"{GROUPS}{group.pk}/"
    data = None if method == "DELETE" else NEW
    anon(method, url, data, status=401)
    assert as_reader(method, url, data, status=403)["code"] == "permission_denied"
    user_with(*others)(method, url, data, status=403)
    assert list(Group.objects.values_list("name", flat=True)) == ["staff"]
    user_with(needed)(method, url, data, status=status)


def test_a_generic_view_needs_the_permission_too(as_reader, mount):
    mount(path("groups/", GenericView.as_view()))
    as_reader("GET", GROUPS, status=200)
    as_reader("POST", GROUPS, NEW, status=403)
    user_with("add")("POST", GROUPS, NEW, status=201)


def test_a_superuser_may_do_everything_and_an_inactive_one_nothing(admin_user, mount):
    mount(groups=GroupViewSet)
    api = api_of(admin_user)
    api("POST", GROUPS, NEW, status=201)
    User.objects.update(is_active=False)
    api("POST", GROUPS, {"name": "newer"}, status=401)


def test_an_extra_action_that_writes_needs_the_permission_of_its_method(as_reader, mount):
    class Actions(GroupViewSet):
        @action(detail=False, methods=["post"])
        def clean(self, request: Any) -> Response:
            return Response("done")

    mount(groups=Actions)
    as_reader("POST", f"{GROUPS}clean/", status=403)
    user_with("add")("POST", f"{GROUPS}clean/", status=200)


def test_permission_classes_open_the_reading_of_a_model_alone(anon, mount, group):
    mount(groups=Open)
    for url in (GROUPS, f"{GROUPS}{group.pk}/"):
        anon("GET", url, status=200)
    for method in ("PUT", "PATCH", "DELETE"):
        anon(method, f"{GROUPS}{group.pk}/", None if method == "DELETE" else NEW, status=401)


def test_permissions_of_a_row_hold_for_every_method_of_a_detail(as_editor, mount, group):
    class OwnRows(permissions.BasePermission):
        def has_object_permission(self, request: Any, view: Any, obj: Any) -> bool:
            return bool(obj.name != "staff")

    mount(groups=type("Variant", (GroupViewSet,), {"permission_classes": [OwnRows]}))
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        as_editor(method, f"{GROUPS}{group.pk}/", None if method in {"GET", "DELETE"} else NEW, status=403)
    assert Group.objects.get().name == "staff"


def test_the_default_permission_may_be_combined(as_reader, mount, group):
    class Closed(permissions.BasePermission):
        def has_permission(self, request: Any, view: Any) -> bool:
            return False

    both, either = IsAuthenticatedWithModelPermissions & Closed, IsAuthenticatedWithModelPermissions | Closed
    for combined, status in ((both, 403), (either, 200)):
        mount(groups=type("Variant", (GroupViewSet,), {"permission_classes": [combined]}))
        as_reader("GET", GROUPS, status=status)


# Sessions


def test_a_session_may_read_and_writes_with_the_csrf_token_alone(admin_user, mount):
    mount(groups=GroupViewSet)
    browser = Client(enforce_csrf_checks=True, headers={"x-csrftoken": "t" * 32})
    browser.force_login(admin_user)
    assert browser.get(GROUPS).status_code == 200
    refused = browser.post(GROUPS, NEW, content_type="application/json")
    assert refused.status_code == 403
    assert refused["Content-Type"] == "application/problem+json"
    assert not Group.objects.exists()
    browser.cookies["csrftoken"] = "t" * 32
    assert browser.post(GROUPS, NEW, content_type="application/json").status_code == 201


def test_a_session_ends_with_its_user(client, admin_user, mount):
    mount(groups=GroupViewSet)
    client.force_login(admin_user)
    assert client.get(GROUPS).status_code == 200
    User.objects.update(is_active=False)
    assert client.get(GROUPS).status_code == 401


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_a_permission_is_checked_on_the_row_that_is_locked(mount, as_editor, method):
    mount(groups=type("Closed", (GroupViewSet,), {"permission_classes": [Closing]}))
    group = Group.objects.create(name="open")
    as_editor(method, f"{GROUPS}{group.pk}/", None if method == "DELETE" else NEW, status=403)
    assert Group.objects.get().name != NEW["name"]
