"""The library's pages."""

import re
from html import unescape

import pytest
from django.conf import settings as project

from books.isbn import check_digit
from books.models import Book
from books.views import ORDERINGS, PAGE_SIZE
from core import keyset
from core.keyset import SIGNER

pytestmark = pytest.mark.django_db

# A cursor of another ordering.
OTHER = SIGNER.sign_object(["author", False, "Jane Austen", "1"])


@pytest.fixture
def emma():
    return Book.objects.create(title="Emma", subtitle="A Novel", author="Jane Austen", isbn="9780141439587", pk=1)


def isbn(number):
    digits = f"978{number:09}"
    return digits + check_digit(digits)


def test_the_list_shows_everything_about_a_book(client, emma):
    response = client.get("/")
    assert response.status_code == 200
    assert "books/book_list.html" in [template.name for template in response.templates]
    page = response.content.decode()
    for text in ("Emma", "A Novel", "Jane Austen", "9780141439587", 'href="/books/1/"'):
        assert text in page


def test_a_book_has_a_page_of_its_own(client, emma):
    page = client.get("/books/1/").content.decode()
    for text in ("<h1>Emma</h1>", "A Novel", "Jane Austen", "9780141439587"):
        assert text in page


def test_what_a_book_is_called_is_text_and_not_html(client, emma):
    Book.objects.update(title="<script>alert(1)</script>", author="<b>Nobody</b>")
    for address in ("/", "/books/1/"):
        page = client.get(address).content.decode()
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
        assert "&lt;b&gt;Nobody&lt;/b&gt;" in page
        assert "<script>" not in page
        assert "<b>" not in page


def test_an_empty_library_says_so(client):
    assert "There are no books yet." in client.get("/").content.decode()


@pytest.mark.parametrize("address", ["/books/2/", "/books/emma/", f"/books/{10**40}/", f"/books/{'9' * 5000}/"])
def test_a_book_that_is_not_there_is_404(client, emma, address):
    assert client.get(address).status_code == 404


@pytest.mark.parametrize("words", ["emma", "NOVEL", "aust jane", "  em  ", "emma & novel", "%"])
def test_search_finds_words_of_title_subtitle_and_author(client, emma, words):
    assert "Emma" in client.get("/", {"search": words}).content.decode()


@pytest.mark.parametrize("words", ["ma", "emma dickens", "' OR 1=1", "<script>", "x" * 10_000])
def test_search_says_when_nothing_matches(client, emma, words):
    page = client.get("/", {"search": words}).content.decode()
    assert "No book matches this search." in page
    assert "<script>" not in page


@pytest.mark.parametrize(
    ("search", "counted", "text", "queries"),
    [
        ("rare", 1_000, "1 book", 2),
        ("tome", 1_000, "2 books", 2),
        ("volume", 1_000, f"{2 * PAGE_SIZE} books", 4),
        # No count of a large library reads more rows than this.
        ("volume", 2 * PAGE_SIZE + 1, f"More than {PAGE_SIZE} books", 4),
        ("tome", 2 * PAGE_SIZE + 1, "2 books", 3),
    ],
)
def test_search_says_how_many_books_it_has_found_where_that_is_cheap(
    client, monkeypatch, django_assert_max_num_queries, search, counted, text, queries
):
    monkeypatch.setattr("books.views.MAX_COUNTED", counted)
    monkeypatch.setattr(keyset, "MAX_CANDIDATES", counted)
    titles = [f"Volume {number}" for number in range(2 * PAGE_SIZE)] + ["Tome", "Rare Tome"]
    Book.objects.bulk_create([Book(title=title, author="A", isbn=isbn(n)) for n, title in enumerate(titles)])
    with django_assert_max_num_queries(queries):
        page = client.get("/", {"search": search}).content.decode()
    assert f'<p class="quiet">{text}</p>' in page
    assert '<p class="quiet">' not in client.get("/").content.decode()


def test_a_later_page_has_the_same_number_of_results(client):
    Book.objects.bulk_create([Book(title="Same", author="Same", isbn=isbn(n)) for n in range(PAGE_SIZE + 1)])
    second = client.get("/", {"search": "same", "cursor": client.get("/", {"search": "same"}).context["page"].next})
    assert len(second.context["book_list"]) == 1
    assert f"{PAGE_SIZE + 1} books" in second.content.decode()


def test_search_ignores_accents(client):
    Book.objects.create(title="Les Misérables", subtitle="Łukasz i Tromsø", author="Victor Hugo", isbn="9780140444308")
    for words in ("miserables", "MISÉRABLES", "lukasz", "ŁUKASZ", "tromso"):
        assert "Hugo" in client.get("/", {"search": words}).content.decode()


# A search reads the nearest rows of the ordering, or sorts all of its own.
@pytest.mark.parametrize("nearby", [1, PAGE_SIZE + 3, 1000])
@pytest.mark.parametrize("search", ["", "volume"])
@pytest.mark.parametrize("ordering", ORDERINGS)
def test_the_pages_of_a_list_show_every_book_once_there_and_back(client, monkeypatch, ordering, search, nearby):
    monkeypatch.setattr(keyset, "MAX_CANDIDATES", nearby)
    number = 2 * PAGE_SIZE + 1
    Book.objects.bulk_create(
        [Book(title=f"Volume {n % 3}", author=f"Author {n % 2}", isbn=isbn(n)) for n in range(number)]
    )
    if search:
        Book.objects.bulk_create(
            [Book(title="Tome", author="Author", isbn=isbn(n)) for n in range(number, 2 * number)]
        )
    pages, cursor = [], ""
    while cursor is not None:
        page = client.get("/", {"search": search, "ordering": ordering, "cursor": cursor}).context["page"]
        pages.append([book.pk for book in page.rows])
        cursor = page.next
    assert [len(page) for page in pages] == [PAGE_SIZE, PAGE_SIZE, 1]
    assert len({pk for page in pages for pk in page}) == 2 * PAGE_SIZE + 1
    back = []
    while page.previous is not None:
        page = client.get("/", {"search": search, "ordering": ordering, "cursor": page.previous}).context["page"]
        back.insert(0, [book.pk for book in page.rows])
    assert back == pages[:-1]


@pytest.mark.parametrize(
    "query", [{"cursor": "broken"}, {"cursor": OTHER}, {"ordering": "isbn"}, {"cursor": "x" * 10_000}]
)
def test_a_broken_address_of_a_page_is_400(client, query):
    assert client.get("/", query).status_code == 400


def test_the_list_costs_one_query_however_many_books_there_are(client, django_assert_num_queries):
    Book.objects.bulk_create([Book(title="Same", author="Same", isbn=isbn(n)) for n in range(60)])
    with django_assert_num_queries(1):
        client.get("/")


API = "api-root" in dict(project.NAVIGATION).values()


def test_a_page_leads_to_the_same_rows_in_the_api(client):
    Book.objects.bulk_create([Book(title=f"Volume {n}", author="A & B", isbn=isbn(n)) for n in range(2 * PAGE_SIZE)])
    page = client.get("/", {"search": "a & b", "ordering": "-created_at", "unknown": "x"})
    second = client.get("/", {"search": "a & b", "ordering": "-created_at", "cursor": page.context["page"].next})
    for shown in (page, second, client.get(second.context["book_list"][0].get_absolute_url())):
        link = re.search('class="api" href="([^"]+)"', shown.content.decode())
        assert bool(link) == API
        if link:
            answer = client.get(unescape(link[1]), headers={"accept": "application/json"}).json()
            rows = shown.context.get("book_list") or [shown.context["book"]]
            ids = [row["id"] for row in answer.get("results", [answer])]
            # The pages of the API may be larger.
            assert ids[: len(rows)] == [row.pk for row in rows]


def test_the_second_page_leads_back_to_the_first(client):
    Book.objects.bulk_create([Book(title="Same", author="Same", isbn=isbn(n)) for n in range(2 * PAGE_SIZE)])
    first = client.get("/", {"search": "same"})
    assert "First page" not in first.content.decode()
    second = client.get("/", {"search": "same", "cursor": first.context["page"].next})
    assert '<a href="?search=same">First page</a>' in second.content.decode()
