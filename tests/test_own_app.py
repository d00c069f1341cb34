"""An app that owners write for themselves, with the fields that the books do not have, on what `core` gives to all."""

from typing import Any

import pytest
from baking import Bake, BakedProject, new_database

MODELS = """
from django.db import models
from core.search import SearchField


class Tag(models.Model):
    name = models.CharField(max_length=20)


class Publisher(models.Model):
    name = models.CharField(max_length=50)


class Writer(models.Model):
    name = models.CharField(max_length=50)
    alias = models.CharField(max_length=50, null=True)
    publisher = models.ForeignKey(Publisher, models.PROTECT, null=True)
    first = models.ForeignKey(Tag, models.PROTECT, related_name="+")
    tags = models.ManyToManyField(Tag)
    born = models.DateField()
    died = models.DateField(null=True)
    active = models.BooleanField(default=True)
    search = SearchField(sources=("name", "alias"))


class Novelist(Writer):
    pass
"""

API = """
from django.db.models import Count
from django_filters import rest_framework as filters
from rest_framework import permissions, response, routers
from core.generics import APIView, ModelSerializer, ModelViewSet
from writers.models import Novelist, Publisher, Tag, Writer


def view_set(of, queryset, **attributes):
    meta = type("Meta", (), {"model": of, "exclude": ["search"] if issubclass(of, Writer) else []})
    serializer = type(f"{of.__name__}Serializer", (ModelSerializer,), {"Meta": meta})
    defaults = {"ordering_fields": ("name",), "permission_classes": (permissions.AllowAny,)}
    return type(f"{of.__name__}ViewSet", (ModelViewSet,), {
        **defaults, "queryset": queryset, "serializer_class": serializer, **attributes
    })


class WriterFilter(filters.FilterSet):
    born = filters.DateFromToRangeFilter()
    tags = filters.ModelMultipleChoiceFilter(queryset=Tag.objects.all(), conjoined=True)

    class Meta:
        model = Writer
        fields = ("active", "name")

    @property
    def qs(self):
        return super().qs.exclude(name="Hidden")


class Hook(APIView):
    authentication_classes = ()
    permission_classes = (permissions.IsAuthenticated,)

    def get(self, request):
        return response.Response({})


router = routers.SimpleRouter(use_regex_path=False)
router.register("tag", view_set(Tag, Tag.objects.all()))
router.register("publisher", view_set(Publisher, Publisher.objects.all()))
router.register("writer", view_set(
    Writer, Writer.objects.select_related("publisher"), filterset_class=WriterFilter,
    ordering_fields=("-born", "name", "first_id", "active"),
))
router.register("counted", view_set(
    Writer, Writer.objects.annotate(count=Count("tags")), filterset_fields=("active",)
), "counted")
router.register("novelist", view_set(Novelist, Novelist.objects.all(), filterset_fields=("active",)))
router.register("dead", view_set(Writer, Writer.objects.all(), ordering_fields=("died",)), "dead")
"""

TESTS = """
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from core.paging import SIGNER
from writers.models import Novelist, Tag, Writer

pytestmark = pytest.mark.django_db
ROWS = "/api/v1/"


@pytest.fixture(autouse=True)
def rows(db):
    tags = [Tag.objects.create(name=name) for name in "abc"]
    for number in range(9):
        writer = Novelist.objects.create(
            name=f"Name {number // 2}", first=tags[number % 3], born=f"19{number // 3}0-01-01", active=number % 2 == 0
        )
        writer.tags.set(tags[: number % 4])
    Writer.objects.create(name="Hidden", first=tags[0], born="2000-01-01")


def walk(client, address):
    found = []
    while address:
        page = client.get(address)
        assert page.status_code == 200, page.content
        found += [row["url"] for row in page.json()["results"]]
        address = page.json()["next"]
    return found


@pytest.mark.parametrize("ordering", ["born", "-born", "name", "first_id", "-first_id", "active"])
@pytest.mark.parametrize("query", ["", "&active=True", "&tags=1&tags=2", "&born_after=1905-01-01"])
def test_pages_have_every_row_once(client, ordering, query):
    ids = {tag.name: tag.pk for tag in Tag.objects.all()}
    query = query.replace("tags=1&tags=2", f"tags={ids['a']}&tags={ids['b']}")
    found = walk(client, f"{ROWS}writer/?page_size=2&ordering={ordering}{query}")
    every = Writer.objects.exclude(name="Hidden")
    expected = {
        "": every,
        "active": every.filter(active=True),
        "tags": every.filter(tags=ids["a"]).filter(tags=ids["b"]),
        "born_after": every.filter(born__gt="1905-01-01"),
    }[query.strip("&").partition("=")[0]]
    assert len(found) == len(set(found)) == expected.count() > 0


def test_the_first_ordering_is_the_default(client):
    assert client.get(f"{ROWS}writer/").json() == client.get(f"{ROWS}writer/?ordering=-born").json()


@pytest.mark.parametrize(("kind", "model"), [("counted", Writer), ("novelist", Novelist)])
def test_pages_of_aggregates_and_of_a_child_model(client, kind, model):
    found = walk(client, f"{ROWS}{kind}/?page_size=2&active=true&ordering=-name")
    assert len(found) == len(set(found)) == model.objects.filter(active=True).count() > 0


@pytest.mark.parametrize("kind", ["writer", "counted", "novelist"])
def test_a_row_is_changed(client, kind):
    row = Writer.objects.filter(name="Name 4").get()
    answer = client.patch(f"{ROWS}{kind}/{row.pk}/", {"name": "New"}, content_type="application/json")
    assert answer.status_code == 200, answer.content
    assert Writer.objects.get(pk=row.pk).name == "New"


@pytest.mark.parametrize("query", ["active=yes", "died=1", "born=1", "name=a&name=b"])
def test_a_filter_that_would_be_ignored_is_refused(client, query):
    problem = client.get(f"{ROWS}writer/?{query}")
    assert problem.status_code == 400
    assert problem.json()["errors"][0]["field"] == query.partition("=")[0]


def test_a_column_that_may_be_null_is_no_ordering(client):
    with pytest.raises(ImproperlyConfigured, match="died"):
        client.get(f"{ROWS}dead/")


def test_a_cursor_that_fits_no_column_is_refused(client):
    # As one is that was given before a column changed its type.
    cursor = SIGNER.sign_object(["born", False, "no date", "1"])
    problem = client.get(f"{ROWS}writer/", {"ordering": "born", "cursor": cursor})
    assert problem.status_code == 400
    assert problem.json()["errors"][0]["field"] == "cursor"


def test_an_address_that_is_none_is_an_error_of_its_field(client):
    row = Writer.objects.first()
    answer = client.patch(f"{ROWS}writer/{row.pk}/", {"publisher": "http://[::1/"}, content_type="application/json")
    assert answer.status_code == 400
    assert [(error["field"], error["code"]) for error in answer.json()["errors"]] == [("publisher", "no_match")]


def test_a_row_that_others_refer_to_is_a_conflict(client):
    tag = Tag.objects.get(name="a")
    assert client.delete(f"{ROWS}tag/{tag.pk}/").status_code == 409


def test_the_openapi_document_can_be_made(tmp_path):
    call_command("spectacular", "--validate", "--file", str(tmp_path / "schema.yaml"))
    assert "DRF's serializer" not in (tmp_path / "schema.yaml").read_text()
"""


@pytest.fixture(scope="module")
def project(bake: Bake) -> BakedProject:
    """A project that has an app of its owner's, and its resources in the API."""
    project = bake()
    folder = project.path / "writers"
    (folder / "tests").mkdir(parents=True)
    for name, text in {"__init__": "", "models": MODELS, "api": API, "tests/test_writers": TESTS}.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    both = 'path("hook/", api.Hook.as_view()), *router.urls, *api.router.urls'
    imports = "from django.urls import path\nfrom writers import api\n"
    project.edit("apis/v1.py", "urlpatterns = router.urls\n", f"{imports}urlpatterns = [{both}]\n")
    project.edit("django_project/settings.py", '    "apis",\n', '    "apis",\n    "writers",\n')
    project.manage("makemigrations", "writers", SECRET_KEY="k" * 50)
    return project


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_an_app_of_ones_own_has_pages_filters_and_problems(
    project: BakedProject, request: pytest.FixtureRequest, database: str
) -> None:
    variables: dict[str, Any] = {"SECRET_KEY": "k" * 50}
    if database == "postgres":
        variables["DATABASE_URL"] = new_database(request.getfixturevalue("postgres"))
    project.run("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "writers", **variables)
