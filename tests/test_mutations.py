"""A project's own tests notice when a change breaks what they protect."""

from dataclasses import dataclass

import pytest
from baking import Bake, BakedProject


@dataclass(frozen=True)
class Mutation:
    """A seeded defect: a text in a file that is replaced, and the tests of which one must fail then."""

    file: str
    old: str
    new: str
    tests: str


SETTINGS = "django_project/settings.py"
BOOKS = "apis/v1/books.py"
VIEWSETS = "apis/viewsets.py"
KEYSET = "core/keyset.py"
ORDERING_KEYS = "core/ordering_keys.py"
LIMITS = "accounts/login_limits.py"

BOOKS_API = "apis/tests/test_books.py"
AUTHENTICATION = "apis/tests/test_authentication.py"
LISTS = "apis/tests/test_lists.py"
VIEWSET_TESTS = "apis/tests/test_viewsets.py"
KEYSET_TESTS = "core/tests/test_keyset.py"
MIDDLEWARE = "core/tests/test_middleware.py"
SERVERS = "core/tests/test_servers.py"
SEARCH = "core/tests/test_search.py"
LOGIN = "accounts/tests/test_login.py"
PASSWORDS = "accounts/tests/test_passwords.py"
MODELS = "books/tests/test_models.py"
PAGES = "books/tests/test_pages.py"

MUTATIONS = {
    # The example resource.
    "field dropped from the serializer": Mutation(BOOKS, '"subtitle", "author"', '"author"', BOOKS_API),
    "field added to the serializer": Mutation(BOOKS, '"updated_at"]', '"updated_at", "search"]', BOOKS_API),
    "URL of the API moved": Mutation("apis/v1/urls.py", 'register("books"', 'register("book"', BOOKS_API),
    "URL of a page moved": Mutation("books/urls.py", '"books/<int:pk>/"', '"book/<int:pk>/"', PAGES),
    "search terms of a changed book not updated": Mutation(
        BOOKS, "queryset = Book.objects.all()", 'queryset = Book.objects.defer("search")', BOOKS_API
    ),
    "writing of books opened": Mutation(
        BOOKS, "(IsAuthenticatedOrReadOnly, DjangoModelPermissionsOrAnonReadOnly)", "()", BOOKS_API
    ),
    "reading of books closed": Mutation(BOOKS, "    permission_classes =", "    unused =", BOOKS_API),
    "duplicate ISBNs allowed": Mutation("books/models.py", "unique=True, ", "", MODELS),
    "check digit ignored": Mutation("books/isbn.py", "if isbn[12] != check_digit(isbn[:12]):", "if False:", MODELS),
    "maximum length changed": Mutation(
        "books/models.py",
        "title = models.CharField(max_length=250)",
        "title = models.CharField(max_length=255)",
        "books",
    ),
    # Pages and the admin.
    "escaping switched off in the list": Mutation(
        "books/templates/books/book_list.html", "{{ book.title }}", "{{ book.title|safe }}", PAGES
    ),
    "escaping switched off on the page of a book": Mutation(
        "books/templates/books/book_detail.html", "{{ book.author }}", "{{ book.author|safe }}", PAGES
    ),
    "CSRF protection missing": Mutation(
        SETTINGS, '    "django.middleware.csrf.CsrfViewMiddleware",\n', "", "core/tests/test_pages.py"
    ),
    "books missing in the admin": Mutation("books/admin.py", "@admin.register(Book)\n", "", MODELS),
    "search of the admin without a limit": Mutation("books/admin.py", "[:MAX_FOUND]", "", MODELS),
    "tokens can be added in the admin": Mutation(
        "apis/admin.py", "def has_add_permission", "def unused", AUTHENTICATION
    ),
    # Servers, settings and migrations.
    "model changed without a migration": Mutation(
        "accounts/models.py",
        "class User(AbstractUser):\n",
        "class User(AbstractUser):\n    age = __import__('django.db.models').db.models.IntegerField(null=True)\n",
        "core/tests",
    ),
    "wsgi.py broken": Mutation("django_project/wsgi.py", "    return response\n", "    return []\n", SERVERS),
    "asgi.py broken": Mutation("django_project/asgi.py", "application = ", "app = ", SERVERS),
    "not ready without the cache": Mutation("core/health.py", 'OPTIONAL = {"cache"}', "OPTIONAL = {None}", SERVERS),
    "not ready but 200": Mutation("core/health.py", "status=200 if ok else 503", "status=200", SERVERS),
    "any request id accepted": Mutation("core/middleware.py", "if REQUEST_ID.fullmatch(sent)", "if sent", SERVERS),
    "security headers missing": Mutation(
        SETTINGS, '    "core.middleware.SecurityHeadersMiddleware",\n', "", "core/tests"
    ),
    "chunked bodies read as empty": Mutation(
        "core/middleware.py", 'if "Transfer-Encoding" in request.headers:', "if False:", MIDDLEWARE
    ),
    "environment variable missing in the README": Mutation(
        "README.md", "| `LOG_LEVEL` |", "| LOG_LEVEL |", "core/tests/test_settings.py"
    ),
    # Tokens and logging in.
    "token stored as it is": Mutation(
        "apis/models.py", "return hashlib.sha256(key.encode()).hexdigest()", "return key", AUTHENTICATION
    ),
    "tokens do not expire": Mutation("apis/authentication.py", "expires_at__gt=timezone.now()", "", AUTHENTICATION),
    "tokens outlive a password": Mutation("apis/authentication.py", " or not token.is_current()", "", AUTHENTICATION),
    "tokens end when the secret key is rotated": Mutation(
        "apis/models.py", ", *self.user.get_session_auth_fallback_hash()]", "]", AUTHENTICATION
    ),
    "any number of tokens": Mutation(
        "apis/models.py", "            own.exclude(pk__in=kept).delete()\n", "", AUTHENTICATION
    ),
    "inactive users keep their tokens": Mutation(
        "apis/authentication.py", " or not token.user.is_active", "", AUTHENTICATION
    ),
    "names not normalized": Mutation(
        "apis/views.py", "get_user_model().normalize_username(credentials[", "str(credentials[", AUTHENTICATION
    ),
    "login attempts not limited": Mutation(LIMITS, "        raise TooManyAttemptsError(wait)", "        pass", LOGIN),
    "login attempts of an account not limited": Mutation(
        LIMITS, ', f"login:account:{digest(str(name))}")', ",)", LOGIN
    ),
    "successful logins counted": Mutation(LIMITS, "        forget(window)", "        pass", LOGIN),
    "logins by another backend counted": Mutation(LIMITS, "@receiver(user_logged_in)\n", "", LOGIN),
    "logins without a password counted": Mutation(LIMITS, " or name is None or password is None:", ":", LOGIN),
    "tokens by another backend counted": Mutation(
        "apis/views.py", "        forget_attempt(request)\n", "", AUTHENTICATION
    ),
    "mails to one address not limited": Mutation(LIMITS, ', f"reset:email:{email}")', ")", PASSWORDS),
    "links of mails to another host": Mutation(
        "accounts/templates/accounts/password_reset_email.txt", "{{ domain }}", "localhost", PASSWORDS
    ),
    "admin's page to change a password replaced": Mutation(
        "accounts/urls.py", 'PAGE = "accounts/page.html"', 'PAGE = "registration/password_change_form.html"', PASSWORDS
    ),
    "one token revoked instead of all": Mutation(
        "apis/admin.py", "Token.objects.filter(user__in=users).delete()", "queryset.delete()", AUTHENTICATION
    ),
    # Permissions and throttles.
    "new resources open to all": Mutation(
        SETTINGS,
        "apis.permissions.IsAuthenticatedWithModelPermissions",
        "rest_framework.permissions.AllowAny",
        "apis/tests/test_permissions.py",
    ),
    "permission for the model not needed": Mutation(
        "apis/permissions.py", "return not has_model(view) or ", "return True or ", "apis/tests/test_permissions.py"
    ),
    "throttles let everything through": Mutation(
        "apis/throttling.py", "return not self.seconds", "return True", "apis/tests/test_throttling.py"
    ),
    "forwarded addresses always trusted": Mutation(
        "core/rate_limits.py", "settings.TRUSTED_PROXIES and forwarded", "forwarded", "core/tests/test_rate_limits.py"
    ),
    "each IPv6 address limited alone": Mutation(
        "core/rate_limits.py", "(address, 64)", "(address, 128)", "core/tests/test_rate_limits.py"
    ),
    # Viewsets.
    "filters skipped for single rows": Mutation(
        VIEWSETS, "super().get_object()", "self.get_queryset().get(pk=self.kwargs['pk'])", VIEWSET_TESTS
    ),
    "changes of what the client has not seen": Mutation(VIEWSETS, 'expected != "*"', "False", VIEWSET_TESTS),
    "ETag without the state": Mutation(VIEWSETS, "state = state_of(instance)", 'state = "0" * 32', VIEWSET_TESTS),
    "ETag without many-to-many relations": Mutation(
        VIEWSETS, "sorted(str(key) for key in related if key is not None)", "[]", VIEWSET_TESTS
    ),
    "ETag of a row before it is stored": Mutation(
        VIEWSETS,
        "self.request.method not in SAFE_METHODS:\n            # The database",
        "False:\n            #",
        VIEWSET_TESTS,
    ),
    "rows not locked": Mutation(
        VIEWSETS, "                lock(instance, database)\n", "                pass\n", VIEWSET_TESTS
    ),
    "creations without a transaction": Mutation(
        VIEWSETS,
        "        with self.write_transaction():\n            return self.tagged(super().create(",
        "        if True:\n            return self.tagged(super().create(",
        VIEWSET_TESTS,
    ),
    "ETags reveal hidden columns": Mutation(VIEWSETS, "settings.SECRET_KEY.encode()", "b''", VIEWSET_TESTS),
    "transactions of another database": Mutation(
        VIEWSETS, "None if queryset is None else queryset.select_for_update().db", "", VIEWSET_TESTS
    ),
    # Errors.
    "taken unique value is 500": Mutation("apis/exceptions.py", '"SQLITE_CONSTRAINT_UNIQUE", ', "", VIEWSET_TESTS),
    "each IntegrityError is a conflict": Mutation(
        "apis/exceptions.py", "case IntegrityError() if is_conflict(error):", "case IntegrityError():", "apis/tests"
    ),
    "errors of a model's validation are 500": Mutation(
        "apis/exceptions.py", "case DjangoValidationError():", "case DjangoValidationError() if False:", "apis/tests"
    ),
    "unknown URLs of the API are pages": Mutation(
        SETTINGS, '    "apis.exceptions.ProblemMiddleware",\n', "", "apis/tests"
    ),
    "deeply nested JSON is 500": Mutation(
        "apis/parsers.py", "except RecursionError", "except ZeroDivisionError", "apis/tests"
    ),
    # Lists.
    "unknown query parameters ignored": Mutation(
        SETTINGS, '        "apis.filters.StrictQueryParameters",\n', "", "apis/tests/test_filters.py"
    ),
    "filter sets of one's own skipped": Mutation(
        "apis/filters.py",
        "if filterset_class and filters_by_parameters_alone(filterset_class):",
        "if filterset_class:",
        "apis/tests/test_filters.py",
    ),
    "row of a list without the end of its URL": Mutation(
        "apis/serializers.py", "{before}{value}{after[0]}", "{before}{value}", LISTS
    ),
    "representation of one's own ignored in lists": Mutation(
        "apis/serializers.py", '"create", "update"', '"create", "update", "to_representation"', LISTS
    ),
    "column of another name in lists": Mutation(
        "apis/serializers.py", "return str(field.source)", "return str(field.field_name)", LISTS
    ),
    "links lead to another version": Mutation(
        SETTINGS, '"rest_framework.versioning.NamespaceVersioning"', "None", "apis/tests"
    ),
    "matches beyond the candidates missing": Mutation(KEYSET, "if len(rows) < count:", "if False:", KEYSET_TESTS),
    "null values in the wrong place": Mutation(
        ORDERING_KEYS, '{"postgresql", "oracle"}', '{"postgresql", "oracle", "sqlite"}', KEYSET_TESTS
    ),
    "rows of window functions missing": Mutation(
        "core/queryset_ordering.py", "all(accepted)", "True", "core/tests/test_ordering_keys.py"
    ),
    "values that fields convert are keys": Mutation(
        ORDERING_KEYS,
        '    return not own and not hasattr(field, "from_db_value")',
        "    return True",
        "core/tests/test_ordering_keys.py",
    ),
    "rows with null values missing": Mutation(
        ORDERING_KEYS, "if self.field.null and not self.nulls_first:", "if False:", KEYSET_TESTS
    ),
    "list counts its rows": Mutation(
        KEYSET,
        "    start = KeysetCursor.decode(cursor)",
        "    queryset.count()\n    start = KeysetCursor.decode(cursor)",
        BOOKS_API,
    ),
    # Search.
    "letters without a decomposition not found": Mutation("core/search.py", '        "ł": "l",\n', "", SEARCH),
    "short terms found within words": Mutation(
        "core/search.py", "if len(term) >= TRIGRAM_LENGTH else", "if term else", SEARCH
    ),
    "rows not rebuilt": Mutation(
        "core/management/commands/rebuild_search.py", "in searchable_models():", "in ():", "core/tests"
    ),
}


@pytest.fixture(scope="module")
def project(bake: Bake) -> BakedProject:
    return bake()


@pytest.mark.parametrize("mutation", MUTATIONS.values(), ids=MUTATIONS)
def test_the_tests_of_a_project_notice(project: BakedProject, mutation: Mutation) -> None:
    before = project.read(mutation.file)
    project.edit(mutation.file, mutation.old, mutation.new)
    try:
        project.run("python", "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", mutation.tests, status=1)
    finally:
        (project.path / mutation.file).write_text(before, encoding="utf-8")
