"""Pages, filters and errors of the resources of the app `writers`."""

from io import StringIO

import pytest
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.db.models import Count, F
from django.db.models.functions import Lower
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import User
from core.keyset import SIGNER
from writers.models import Novelist, Publisher, Tag, Writer

pytestmark = pytest.mark.django_db
V1 = "/api/v1/"


@pytest.fixture
def api():
    user = User.objects.create_user("ann")
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="writers"))
    client = APIClient()
    client.force_authenticate(user)
    return client


@pytest.fixture(autouse=True)
def _rows(db):
    """Nine novelists with equal and null values, and a writer whom the filter hides."""
    tags = [Tag.objects.create(name=name) for name in "abc"]
    publishers = [
        Publisher.objects.create(name=name, founded=year) for name, year in (("P", None), ("Q", "1900-01-01"))
    ]
    for number in range(9):
        writer = Novelist.objects.create(
            name=f"Name {number // 2}",
            alias=None if number % 2 else f"Alias {number}",
            first=tags[number % 3],
            publisher=(*publishers, None)[number % 3],
            born=f"19{number // 3}0-01-01",
            died=None if number % 4 == 0 else f"19{50 + number // 3}-01-01",
            active=number % 2 == 0,
            novels=None if number < 3 else number // 2,
        )
        writer.tags.set(tags[: number % 4])
    Writer.objects.create(name="Hidden", first=tags[0], born="2000-01-01")


def ids(client, url):
    """The ids of each page, by the links to the next one; the way back has the same pages."""
    pages: list[list[int]] = []
    following, last = url, url
    while following:
        response = client.get(following)
        assert response.status_code == 200, response.content
        last, following = following, response.json()["next"]
        pages.append([row["id"] for row in response.json()["results"]])
    back: list[list[int]] = []
    previous = last
    while previous:
        page = client.get(previous).json()
        back.insert(0, [row["id"] for row in page["results"]])
        previous = page["previous"]
    assert back == pages
    return [row for page in pages for row in page]


SINGLE = ["born", "died", "name", "first", "first__name", "active", "publisher", "publisher__founded"]
SEVERAL = ["name,-died", "-publisher__founded,name,-born", "died,publisher,active", "-active,-first__name"]
QUERIES = ["", "&active=True", "&tags={a}&tags={b}", "&born_after=1905-01-01", "&search=name", "&search=Q"]


@pytest.mark.parametrize("ordering", [*SINGLE, *(f"-{name}" for name in SINGLE), *SEVERAL])
@pytest.mark.parametrize("query", QUERIES)
def test_pages_have_each_row_once(api, ordering, query):
    a, b = Tag.objects.get(name="a").pk, Tag.objects.get(name="b").pk
    query = query.format(a=a, b=b)
    found = ids(api, f"{V1}writers/?page_size=2&ordering={ordering}{query}")
    rows = Writer.objects.exclude(name="Hidden")
    filtered = {
        "": rows,
        "active": rows.filter(active=True),
        "tags": rows.filter(tags=a).filter(tags=b),
        "born_after": rows.filter(born__gt="1905-01-01"),
        "search": rows.filter(publisher__name="Q") if query.endswith("Q") else rows,
    }[query.strip("&").partition("=")[0]]
    names = ordering.split(",")
    expected = filtered.order_by(*names, "-pk" if names[-1].startswith("-") else "pk")
    if names[-1].strip("-") == "publisher":
        # The models' own ordering decides: the last part of it is the name.
        assert sorted(found) == sorted(filtered.values_list("pk", flat=True))
    else:
        assert found == list(expected.values_list("pk", flat=True))
    assert len(found) > 0


def test_the_ordering_of_the_view_is_the_default(api):
    assert ids(api, f"{V1}writers/?page_size=4") == ids(api, f"{V1}writers/?page_size=4&ordering=-born")


@pytest.mark.parametrize("ordering", ["count", "-count", "-count,name", "name"])
def test_pages_of_an_aggregate(api, ordering):
    found = ids(api, f"{V1}counted/?page_size=2&active=true&ordering={ordering}")
    rows = Writer.objects.annotate(count=Count("tags")).filter(active=True)
    names = ordering.split(",")
    expected = rows.order_by(*names, "-pk" if names[-1].startswith("-") else "pk")
    assert found == [writer.pk for writer in expected]


@pytest.mark.parametrize("ordering", ["novels", "-novels", "name", "-died"])
def test_pages_of_a_child_model(api, ordering):
    found = ids(api, f"{V1}novelists/?page_size=2&ordering={ordering}")
    expected = Novelist.objects.order_by(ordering, "-pk" if ordering.startswith("-") else "pk")
    assert found == [novelist.pk for novelist in expected]


def test_pages_of_a_queryset_with_expressions(api):
    expected = Writer.objects.exclude(name="Hidden")
    expected = expected.order_by(F("died").asc(nulls_first=True), Lower("name").desc(), "-pk")
    assert ids(api, f"{V1}expressions/?page_size=2") == [writer.pk for writer in expected]


def test_a_page_is_found_after_its_row_was_deleted(api):
    first = api.get(f"{V1}writers/?page_size=3&ordering=died,name").json()
    remaining = [row["id"] for row in api.get(first["next"]).json()["results"]]
    Writer.objects.filter(pk=first["results"][-1]["id"]).delete()
    assert [row["id"] for row in api.get(first["next"]).json()["results"]] == remaining


def test_relations_are_ids(api):
    tags = sorted(Tag.objects.values_list("pk", flat=True))
    publisher = Publisher.objects.get(name="P").pk
    sent = {"name": "New", "first": tags[0], "tags": tags[:2], "born": "1999-01-01", "publisher": publisher}
    created = api.post(f"{V1}writers/", sent, format="json")
    assert created.status_code == 201, created.content
    row = created.json()
    assert (row["first"], row["publisher"], row["alias"]) == (tags[0], publisher, None)
    assert sorted(row["tags"]) == tags[:2]
    assert api.get(f"{V1}writers/{row['id']}/").json() == row
    assert row in api.get(f"{V1}writers/?name=New").json()["results"]
    changed = api.patch(f"{V1}writers/{row['id']}/", {"tags": tags[2:], "publisher": None}, format="json").json()
    assert (changed["tags"], changed["publisher"]) == (tags[2:], None)


@pytest.mark.parametrize("kind", ["writers", "counted", "novelists", "expressions"])
def test_a_row_is_changed(api, kind):
    pk = Writer.objects.get(name="Name 4").pk
    response = api.patch(f"{V1}{kind}/{pk}/", {"name": "New"}, format="json")
    assert response.status_code == 200, response.content
    assert Writer.objects.get(pk=pk).name == "New"


@pytest.mark.parametrize("kind", ["writers", "counted", "novelists"])
def test_a_list_shows_what_a_detail_shows(api, kind):
    for row in api.get(f"{V1}{kind}/").json()["results"]:
        assert api.get(f"{V1}{kind}/{row['id']}/").json() == row


@pytest.mark.parametrize("query", ["active_=yes", "died=1", "aktive=1", "born=1"])
def test_an_unknown_query_parameter_is_refused(api, query):
    response = api.get(f"{V1}writers/?{query}")
    assert response.status_code == 400
    assert response.json()["errors"][0]["field"] == query.partition("=")[0]


@pytest.mark.parametrize("query", ["ordering=unknown", "ordering=tags", "name=", "search="])
def test_what_drf_ignores_is_ignored(api, query):
    assert ids(api, f"{V1}writers/?{query}") == ids(api, f"{V1}writers/")


def test_a_cursor_that_fits_no_column_is_refused(api):
    # As one is that was made before a column changed its type.
    following = api.get(f"{V1}writers/?page_size=2&ordering=born").json()["next"]
    signature = SIGNER.unsign_object(following.partition("cursor=")[2].partition("&")[0].replace("%3A", ":"))[0]
    cursor = SIGNER.sign_object([signature, False, "no date", 1])
    response = api.get(f"{V1}writers/", {"ordering": "born", "cursor": cursor})
    assert (response.status_code, response.json()["errors"][0]["field"]) == (400, "cursor")
    assert api.get(f"{V1}writers/?cursor=nonsense").status_code == 400


def test_a_row_that_others_need_is_a_conflict(api):
    response = api.delete(f"{V1}tags/{Tag.objects.get(name='a').pk}/")
    assert (response.status_code, response.json()["code"]) == (409, "conflict")


def test_a_change_of_a_relation_changes_the_etag(api):
    writer = Writer.objects.get(name="Name 4")
    url = f"{V1}writers/{writer.pk}/"
    writer.tags.set(Tag.objects.all())
    seen = api.get(url)["ETag"]
    writer.tags.clear()
    assert api.patch(url, {"name": "New"}, format="json", headers={"if-match": seen}).status_code == 412
    seen = api.get(url)["ETag"]
    assert api.patch(url, {"name": "New"}, format="json", headers={"if-match": seen}).status_code == 200


@pytest.mark.parametrize("kind", ["tags", "publishers", "writers", "counted", "novelists", "expressions"])
def test_a_resource_is_closed_to_strangers(kind):
    for response in (Client().get(f"{V1}{kind}/"), Client().get(f"{V1}{kind}/1/"), Client().post(f"{V1}{kind}/")):
        assert (response.status_code, response["WWW-Authenticate"]) == (401, "Token")


def test_a_resource_that_is_opened_for_reading(api):
    assert Client().get(f"{V1}open/").status_code == 200
    assert Client().post(f"{V1}open/", {"name": "d"}).status_code == 401
    assert api.post(f"{V1}open/", {"name": "d"}, format="json").status_code == 201


def test_the_root_links_to_each_resource():
    links = Client().get("/api/").json()
    assert links["writers"] == "http://testserver/api/v1/writers/"
    assert set(links) >= {"tags", "publishers", "novelists", "open"}


def test_the_openapi_document_is_valid():
    options = ["--api-version", "v1", "--validate", "--fail-on-warn"]
    call_command("spectacular", *options, stdout=(out := StringIO()))
    assert "/api/v1/writers/" in out.getvalue()


def test_the_browsable_api_shows_the_forms(api):
    user = User.objects.get()
    browser = Client(headers={"accept": "text/html"})
    browser.force_login(user)
    for path in (
        "writers/",
        f"writers/{Writer.objects.get(name='Name 4').pk}/",
        "tags/",
        "writers/?active=true&search=n",
    ):
        page = browser.get(f"{V1}{path}")
        assert page.status_code == 200, path
        assert "<form" in page.content.decode()
