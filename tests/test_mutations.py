"""A project's own tests notice when somebody breaks what they are there for."""

from dataclasses import dataclass

import pytest
from baking import Bake


@dataclass(frozen=True)
class Mutation:
    """A text in a file that is replaced, and the tests that must fail then."""

    file: str
    old: str
    new: str
    tests: str


PAGES = "books/tests/test_pages.py"
MODELS = "books/tests/test_models.py"
SETTINGS = "core/tests/test_settings.py"

MUTATIONS = {
    "field dropped from the serializer": Mutation(
        "apis/serializers.py", '"subtitle", "author"', '"author"', "apis/tests/test_books.py"
    ),
    "field added to the serializer": Mutation(
        "apis/serializers.py", '"updated_at")', '"updated_at", "search")', "apis/tests/test_books.py"
    ),
    "address of the API moved": Mutation("apis/v1.py", '"books"', '"book"', "apis/tests/test_books.py"),
    "address of a page moved": Mutation("books/urls.py", '"books/<int:pk>/"', '"book/<int:pk>/"', PAGES),
    "words of a changed book left as they were": Mutation(
        "apis/views.py", "Book.objects.all()", 'Book.objects.defer("search")', "apis/tests/test_books.py"
    ),
    "anonymous writing": Mutation(
        "django_project/settings.py",
        "rest_framework.permissions.DjangoModelPermissionsOrAnonReadOnly",
        "rest_framework.permissions.AllowAny",
        "apis/tests/test_books.py",
    ),
    "escaping switched off in the list": Mutation(
        "books/templates/books/book_list.html",
        "{{ book.title }}",
        "{{ book.title|safe }}",
        PAGES,
    ),
    "escaping switched off on the page of a book": Mutation(
        "books/templates/books/book_detail.html",
        "{{ book.author }}",
        "{{ book.author|safe }}",
        PAGES,
    ),
    "middleware against forged forms missing": Mutation(
        "django_project/settings.py",
        '    "django.middleware.csrf.CsrfViewMiddleware",\n',
        "",
        "core/tests/test_pages.py",
    ),
    "admin of books unregistered": Mutation("books/admin.py", "@admin.register(Book)\n", "", MODELS),
    "limit of a field changed": Mutation(
        "books/models.py",
        "title = models.CharField(max_length=250)",
        "title = models.CharField(max_length=255)",
        "books",
    ),
    "model changed without a migration": Mutation(
        "accounts/models.py",
        '    """Django\'s user, with room for fields of our own."""\n',
        "    age = __import__('django.db.models').db.models.IntegerField(null=True)\n",
        "core/tests/test_servers.py",
    ),
    "wsgi.py broken": Mutation(
        "django_project/wsgi.py",
        "get_wsgi_application()\n",
        "lambda environ, start: []\n",
        "core/tests/test_servers.py",
    ),
    "asgi.py broken": Mutation("django_project/asgi.py", "application = ", "app = ", "core/tests/test_servers.py"),
    "connections accepted while stopping": Mutation(
        "gunicorn.conf.py", "def set_accept_enabled", "def not_called", "core/tests/test_servers.py"
    ),
    "duplicate ISBNs allowed": Mutation("books/models.py", "unique=True, ", "", MODELS),
    "check digit ignored": Mutation(
        "books/isbn.py", "if isbn[12] != check_digit(isbn[:12]):", "if False:", "books/tests/test_models.py"
    ),
    "token stored as it is": Mutation(
        "apis/models.py", "return hashlib.sha256(key.encode()).hexdigest()", "return key", "apis/tests/test_api.py"
    ),
    "tokens do not expire": Mutation(
        "apis/authentication.py", ", expires_at__gt=timezone.now()", "", "apis/tests/test_api.py"
    ),
    "tokens outlive a password": Mutation(
        "django_project/settings.py",
        '    {"NAME": "apis.authentication.RevokeTokens"},\n',
        "",
        "apis/tests/test_api.py",
    ),
    "token for a password that was replaced meanwhile": Mutation(
        "apis/auth.py", ", password=user.password", "", "apis/tests/test_api.py"
    ),
    "password switched off and tokens kept": Mutation(
        "accounts/models.py", '        self._password = ""\n', "", "apis/tests/test_api.py"
    ),
    "changes of what the client has not seen": Mutation(
        "core/generics.py", 'expected != "*"', "False", "apis/tests/test_books.py"
    ),
    "empty filters of a form refused": Mutation("core/filters.py", "not form and ", "", "apis/tests/test_books.py"),
    "variable missing in the README": Mutation("README.md", "| `LOG_LEVEL` |", "| LOG_LEVEL |", SETTINGS),
    "rows beyond the nearest missing": Mutation("core/paging.py", "if len(rows) < count:", "if False:", PAGES),
    "search of the admin without a limit": Mutation("books/admin.py", "[:MAX_FOUND]", "", MODELS),
    "list counts its rows": Mutation(
        "core/paging.py",
        "    backwards, position = read_cursor",
        "    queryset.count()\n    backwards, position = read_cursor",
        PAGES,
    ),
}


@pytest.mark.parametrize("mutation", MUTATIONS.values(), ids=MUTATIONS)
def test_the_projects_tests_notice(bake: Bake, mutation: Mutation) -> None:
    project = bake()
    project.edit(mutation.file, mutation.old, mutation.new)
    project.run("python", "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", mutation.tests, status=1)
