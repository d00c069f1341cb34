"""ConditionalModelViewSet: conditional requests, conflicts, transactions and locks."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.db.models import ProtectedError, RestrictedError
from django.http import HttpResponse
from django.test.utils import CaptureQueriesContext
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.permissions import BasePermission
from rest_framework.response import Response

from accounts.models import User
from apis.tests.conftest import API
from apis.viewsets import ConditionalModelViewSet

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_users_or_groups")]

GROUPS = "/api/v1/groups/"


class GroupSerializer(serializers.ModelSerializer[Group]):
    url = serializers.HyperlinkedIdentityField(view_name="groups-detail")

    class Meta:
        model = Group
        fields = ("id", "url", "name", "permissions")


class GroupViewSet(ConditionalModelViewSet):
    queryset = Group.objects.order_by("name")
    serializer_class = GroupSerializer


class UnvalidatedSerializer(GroupSerializer):
    """Leaves the unique name to the database, as a request does that runs at the same time as another one."""

    name = serializers.CharField()


@pytest.fixture(autouse=True)
def _urls(mount: Any) -> None:
    mount(groups=GroupViewSet)


@pytest.fixture
def group() -> Group:
    return Group.objects.create(name="staff")


@pytest.fixture
def url(group: Group) -> str:
    return f"{GROUPS}{group.pk}/"


def variant(**attributes: Any) -> type[GroupViewSet]:
    """Return a subclass of the viewset with other attributes."""
    return type("Variant", (GroupViewSet,), attributes)


def etag(api: API, url: str, **headers: str) -> str:
    """Return the ETag of a resource as JSON."""
    api("GET", url, status=200, **headers)
    return str(api.response["ETag"])


# Conditional requests


def test_an_unchanged_resource_is_not_sent_again(as_editor, url):
    seen = etag(as_editor, url)
    as_editor("GET", url, status=304, if_none_match=seen)
    Group.objects.update(name="other")
    as_editor("GET", url, status=200, if_none_match=seen)


@pytest.mark.parametrize(
    "sent",
    [
        "{etag}",
        "W/{etag}",
        '{inside}-gzip"',
        '{inside};br"',
        '"{stale}", {etag}',
        '{etag}, "{stale}"',
        'W/"{stale}",W/{etag}',
        "*",
        " * ",
    ],
)
def test_a_write_accepts_the_etag_however_proxies_changed_it(as_editor, url, sent):
    seen = etag(as_editor, url)
    sent = sent.format(etag=seen, inside=seen[:-1], stale=f"{'0' * 32}.{'0' * 32}")
    as_editor("PATCH", url, {"name": "new"}, status=200, if_match=sent)


def test_a_write_without_if_match_is_accepted(as_editor, url):
    as_editor("PATCH", url, {"name": "new"}, status=200)


@pytest.mark.parametrize("headers", [{"accept": "text/html"}, {"host": "other.example"}])
def test_a_write_accepts_the_etag_of_another_representation_or_host(as_editor, url, settings, headers):
    settings.ALLOWED_HOSTS = ["testserver", "other.example"]
    seen = etag(as_editor, url, **headers)
    assert seen != etag(as_editor, url)
    as_editor("PATCH", url, {"name": "new"}, status=200, if_match=seen)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_a_write_based_on_an_old_state_is_refused_and_changes_nothing(as_editor, url, method):
    seen = etag(as_editor, url)
    Group.objects.update(name="changed by somebody else")
    data = None if method == "DELETE" else {"name": "new", "permissions": []}
    assert as_editor(method, url, data, status=412, if_match=seen)["code"] == "precondition_failed"
    assert Group.objects.get().name == "changed by somebody else"


def test_the_etag_does_not_reveal_columns_that_the_serializer_hides(as_editor, url, settings):
    # Without the key, nobody can make the hashes of possible values.
    seen = etag(as_editor, url)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another key"
    assert etag(as_editor, url).partition(".")[0] != seen.partition(".")[0]


def test_a_write_is_in_a_transaction_of_the_database_of_its_model(as_editor, mount, settings, caplog):
    class Router:
        def db_for_write(self, model: Any, **hints: Any) -> str | None:
            return "another" if model is Group else None

    settings.DATABASE_ROUTERS = [Router()]
    # Nothing else than the transaction uses the database.
    mount(groups=variant(perform_create=lambda view, serializer: None))
    as_editor("POST", GROUPS, {"name": "new", "permissions": []}, status=500)
    assert "The connection 'another' doesn't exist" in caplog.text


def test_the_etag_of_a_write_is_that_of_the_stored_row(as_editor, mount, settings):
    class UserSerializer(serializers.ModelSerializer[User]):
        class Meta:
            model = User
            fields = ("id", "username", "date_joined")

    # DRF gives the row a time in this zone, and the database returns it in UTC.
    settings.TIME_ZONE = "Europe/Berlin"
    mount(users=variant(queryset=User.objects.all(), serializer_class=UserSerializer))
    sent = {"username": "new", "date_joined": "2026-01-01T00:00:00Z"}
    created = as_editor("POST", "/api/v1/users/", sent, status=201)
    url = f"/api/v1/users/{created['id']}/"
    for name in ("renamed", "renamed.again"):
        as_editor("PATCH", url, {**sent, "username": name}, status=200, if_match=as_editor.response["ETag"])


def test_an_action_of_ones_own_obeys_if_match(as_editor, mount, group, url):
    class Renaming(GroupViewSet):
        @action(detail=True, methods=["post"])
        def rename(self, request, pk):
            found = self.get_object()
            found.name = "renamed"
            found.save()
            return Response(status=204)

    mount(groups=Renaming)
    as_editor("POST", f"{url}rename/", status=412, if_match='"an old state"')
    group.refresh_from_db()
    assert group.name == "staff"
    as_editor("POST", f"{url}rename/", status=204, if_match=etag(as_editor, url))
    group.refresh_from_db()
    assert group.name == "renamed"


@pytest.mark.parametrize("wrong", ['"nonsense"', "", '""', "nonsense", '"*"'])
def test_a_malformed_if_match_is_refused(as_editor, url, wrong):
    as_editor("PATCH", url, {"name": "new"}, status=412, if_match=wrong)
    assert Group.objects.get().name == "staff"


def test_each_write_responds_with_the_etag_for_the_next_one(as_editor):
    created = as_editor("POST", GROUPS, {"name": "first", "permissions": []}, status=201)
    assert as_editor.response["Location"] == created["url"]
    for name in ("second", "third"):
        as_editor("PATCH", created["url"], {"name": name}, status=200, if_match=as_editor.response["ETag"])
    as_editor(
        "PUT", created["url"], {"name": "fourth", "permissions": []}, status=200, if_match=as_editor.response["ETag"]
    )
    written = as_editor.response["ETag"]
    assert etag(as_editor, created["url"]) == written
    as_editor("DELETE", created["url"], status=204, if_match=written)


@pytest.mark.parametrize("queryset", [Group.objects.order_by("name"), Group.objects.prefetch_related("permissions")])
def test_a_changed_many_to_many_relation_changes_the_state(as_editor, mount, group, url, queryset):
    mount(groups=variant(queryset=queryset))
    seen = etag(as_editor, url)
    first, second = Permission.objects.values_list("pk", flat=True)[:2]
    group.permissions.set([first])
    as_editor("PATCH", url, {"name": "new"}, status=412, if_match=seen)
    as_editor("PATCH", url, {"permissions": [second]}, status=200, if_match=etag(as_editor, url))
    written = as_editor.response["ETag"]
    assert etag(as_editor, url) == written


def test_another_row_does_not_change_the_state(as_editor, url):
    seen = etag(as_editor, url)
    Group.objects.create(name="other")
    as_editor("PATCH", url, {"name": "new"}, status=200, if_match=seen)


def test_the_etag_of_deferred_columns_is_accepted(as_editor, mount, url):
    mount(groups=variant(queryset=Group.objects.only("id")))
    as_editor("PATCH", url, {"name": "new"}, status=200, if_match=etag(as_editor, url))


def test_a_view_may_set_an_etag_of_its_own(as_editor, mount, url):
    class Own(GroupViewSet):
        def retrieve(self, request: Any, *args: Any, **kwargs: Any) -> Response:
            return super().retrieve(request, *args, **kwargs)

        def tagged(self, response: Response) -> Response:
            response["ETag"] = '"own"'
            return super().tagged(response)

    mount(groups=Own)
    assert etag(as_editor, url) == '"own"'


# Conflicts


def test_a_taken_unique_value_is_a_conflict_that_names_the_field(as_editor, group):
    problem = as_editor("POST", GROUPS, {"name": group.name, "permissions": []}, status=409)
    assert problem["code"] == "conflict"
    assert [(error["field"], error["code"]) for error in problem["errors"]] == [("name", "unique")]


def test_a_taken_value_among_other_errors_is_a_bad_request(as_editor, group):
    problem = as_editor("POST", GROUPS, {"name": group.name, "permissions": [0]}, status=400)
    assert {error["field"] for error in problem["errors"]} == {"name", "permissions"}


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_a_value_taken_by_a_request_at_the_same_time_is_a_conflict(as_editor, mount, url, method):
    Group.objects.create(name="taken")
    mount(groups=variant(serializer_class=UnvalidatedSerializer))
    target = GROUPS if method == "POST" else url
    assert as_editor(method, target, {"name": "taken", "permissions": []}, status=409)["code"] == "conflict"
    assert Group.objects.filter(name="taken").count() == 1


@pytest.mark.parametrize("error", [ProtectedError, RestrictedError])
def test_a_row_that_others_need_is_a_conflict(as_editor, mount, url, error):
    def perform_destroy(view, instance):
        raise error("secret", set())

    mount(groups=variant(perform_destroy=perform_destroy))
    problem = as_editor("DELETE", url, status=409)
    assert problem["code"] == "conflict"
    assert "secret" not in str(problem)


@pytest.mark.parametrize("missing", ["NOT NULL", "foreign key"])
def test_another_integrity_error_is_a_bug_and_is_logged(as_editor, mount, editor, caplog, missing):
    class EntrySerializer(serializers.ModelSerializer[LogEntry]):
        class Meta:
            model = LogEntry
            fields = ("id", "object_repr")

    class EntryViewSet(ConditionalModelViewSet):
        queryset = LogEntry.objects.all()
        serializer_class = EntrySerializer

        def perform_create(self, serializer: Any) -> None:
            serializer.save(user=None if missing == "NOT NULL" else editor, action_flag=1, content_type_id=10**6)
            connection.check_constraints()

    mount(entries=EntryViewSet)
    problem = as_editor("POST", "/api/v1/entries/", {"object_repr": "row"}, status=500)
    assert problem["code"] == "error"
    assert "IntegrityError" in caplog.text
    assert not LogEntry.objects.exists()


# Transactions and locks


@pytest.mark.parametrize(("method", "hook"), [("POST", "create"), ("PATCH", "update"), ("DELETE", "destroy")])
def test_a_write_that_fails_leaves_nothing_behind(as_editor, mount, url, method, hook):
    def write_and_fail(view, written):
        Group.objects.create(name="half done")
        getattr(super(type(view), view), f"perform_{hook}")(written)
        raise ZeroDivisionError

    mount(groups=variant(**{f"perform_{hook}": write_and_fail}))
    data = None if method == "DELETE" else {"name": "new", "permissions": []}
    as_editor(method, GROUPS if method == "POST" else url, data, status=500)
    assert list(Group.objects.values_list("name", flat=True)) == ["staff"]


class Meanwhile(BasePermission):
    """Stands for another request that writes between the reading and the locking of the row."""

    def has_object_permission(self, request: Any, view: Any, obj: Any) -> bool:
        view.meanwhile(type(obj).objects.filter(pk=obj.pk))
        return True


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_a_write_sees_what_was_written_before_it_got_the_lock(as_editor, mount, url, method):
    seen = etag(as_editor, url)
    mount(
        groups=variant(
            permission_classes=[Meanwhile], meanwhile=lambda view, rows: rows.update(name="changed meanwhile")
        )
    )
    data = None if method == "DELETE" else {"name": "new", "permissions": []}
    as_editor(method, url, data, status=412, if_match=seen)


def test_a_change_of_one_field_keeps_what_was_written_to_another_meanwhile(as_editor, mount, url):
    permission = Permission.objects.all()[0]
    mount(
        groups=variant(
            permission_classes=[Meanwhile], meanwhile=lambda view, rows: rows.update(name="changed meanwhile")
        )
    )
    changed = as_editor("PATCH", url, {"permissions": [permission.pk]}, status=200)
    assert changed["name"] == Group.objects.get().name == "changed meanwhile"


def test_a_write_of_a_row_that_was_deleted_meanwhile_is_404(as_editor, mount, url):
    mount(groups=variant(permission_classes=[Meanwhile], meanwhile=lambda view, rows: rows.delete()))
    assert as_editor("PATCH", url, {"name": "new"}, status=404)["code"] == "not_found"


@pytest.mark.skipif(
    not connection.features.has_select_for_update,
    reason="SQLite has no SELECT … FOR UPDATE: a transaction that writes locks the whole database.",
)
@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_a_write_locks_its_row(as_editor, url, method):
    data = None if method == "DELETE" else {"name": "new", "permissions": []}
    with CaptureQueriesContext(connection) as queries:
        as_editor(method, url, data, status=204 if method == "DELETE" else 200)
    locking = [query["sql"] for query in queries if "FOR UPDATE" in query["sql"]]
    assert len(locking) == 1
    assert "auth_group" in locking[0]


@pytest.mark.django_db(transaction=True)
def test_a_write_locks_its_row_within_its_own_transaction(as_editor, mount, url):
    # Here no transaction of the test surrounds the request.
    def perform_update(view, serializer):
        assert connection.in_atomic_block
        serializer.save()

    mount(groups=variant(perform_update=perform_update))
    as_editor("PATCH", url, {"name": "new"}, status=200, if_match=etag(as_editor, url))
    as_editor("GET", url, status=200)
    assert not connection.in_atomic_block


# Extra actions, and DRF's own classes


def test_extra_actions_may_use_the_row_and_its_serializer(as_editor, mount, group, url):
    class Actions(GroupViewSet):
        @action(detail=True)
        def letter(self, request: Any, pk: Any = None) -> Response:
            return Response(self.get_object().name[0])

        @action(detail=True)
        def again(self, request: Any, pk: Any = None) -> Response:
            return Response(self.get_serializer(self.get_object()).data)

        @action(detail=True)
        def file(self, request: Any, pk: Any = None) -> HttpResponse:
            return HttpResponse(self.get_object().name, content_type="text/csv")

    mount(groups=Actions)
    assert as_editor("GET", f"{url}letter/", status=200) == "s"
    assert as_editor("GET", f"{url}again/", status=200) == as_editor("GET", url, status=200)
    as_editor("GET", f"{url}file/", status=200)
    assert as_editor.response.content == b"staff"


def test_drfs_own_view_sets_work_beside_it(as_editor, mount):
    class Plain(viewsets.ModelViewSet[Group]):
        queryset = Group.objects.order_by("name")
        serializer_class = GroupSerializer

    mount(groups=Plain)
    created = as_editor("POST", GROUPS, {"name": "new", "permissions": []}, status=201)
    as_editor("PATCH", created["url"], {"name": "newer"}, status=200)
    assert [row["name"] for row in as_editor("GET", GROUPS, status=200)["results"]] == ["newer"]
    as_editor("DELETE", created["url"], status=204)
