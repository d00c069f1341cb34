"""Defects that are seeded into a project, and the tests of the project that notice them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutation:
    """A seeded defect: a text in a file that is replaced, and the name of the test that must fail then."""

    file: str
    old: str
    new: str
    test: str


SETTINGS = "django_project/settings.py"
BOOKS = "apis/v1/books.py"
AUTHENTICATION = "apis/authentication.py"
VIEWSETS = "apis/viewsets.py"
KEYSET = "core/keyset.py"
ORDERING_KEYS = "core/ordering_keys.py"
LIMITS = "accounts/login_limits.py"

MUTATIONS = {
    # The example resource.
    "field dropped from the serializer": Mutation(
        BOOKS, '"subtitle", "author"', '"author"', "test_a_book_has_exactly_these_fields"
    ),
    "field added to the serializer": Mutation(
        BOOKS, '"updated_at"]', '"updated_at", "search"]', "test_a_book_has_exactly_these_fields"
    ),
    "URL of the API moved": Mutation(
        "apis/v1/urls.py", 'register("books"', 'register("book"', "test_a_book_can_be_created_read_changed_and_deleted"
    ),
    "URL of a page moved": Mutation(
        "books/urls.py", '"books/<int:pk>/"', '"book/<int:pk>/"', "test_a_book_has_a_page_of_its_own"
    ),
    "search terms of a changed book not updated": Mutation(
        BOOKS,
        "queryset = Book.objects.all()",
        'queryset = Book.objects.defer("search")',
        "test_a_changed_book_is_found_by_its_new_words_alone",
    ),
    "writing of books opened": Mutation(
        BOOKS, "(IsAuthenticatedOrReadOnly, DjangoModelPermissionsOrAnonReadOnly)", "()", "test_who_may_do_what"
    ),
    "reading of books closed": Mutation(BOOKS, "    permission_classes =", "    unused =", "test_who_may_do_what"),
    "duplicate ISBNs allowed": Mutation("books/models.py", "unique=True, ", "", "test_an_isbn_is_there_once"),
    "check digit ignored": Mutation(
        "books/isbn.py", "if isbn[12] != check_digit(isbn[:12]):", "if False:", "test_what_is_no_isbn_is_refused"
    ),
    "maximum length changed": Mutation(
        "books/models.py",
        "title = models.CharField(max_length=250)",
        "title = models.CharField(max_length=255)",
        "test_a_text_has_its_limit",
    ),
    # Pages and the admin.
    "escaping switched off in the list": Mutation(
        "books/templates/books/book_list.html",
        "{{ book.title }}",
        "{{ book.title|safe }}",
        "test_what_a_book_is_called_is_text_and_not_html",
    ),
    "escaping switched off on the page of a book": Mutation(
        "books/templates/books/book_detail.html",
        "{{ book.author }}",
        "{{ book.author|safe }}",
        "test_what_a_book_is_called_is_text_and_not_html",
    ),
    "CSRF protection missing": Mutation(
        SETTINGS,
        '    "django.middleware.csrf.CsrfViewMiddleware",\n',
        "",
        "test_a_form_without_its_csrf_token_is_refused",
    ),
    "books missing in the admin": Mutation(
        "books/admin.py", "@admin.register(Book)\n", "", "test_the_admin_adds_lists_and_finds_a_book"
    ),
    "search of the admin without a limit": Mutation(
        "books/admin.py",
        "[:MAX_FOUND]",
        "",
        "test_the_list_of_the_admin_counts_and_finds_no_more_rows_than_its_limits",
    ),
    "tokens can be added in the admin": Mutation(
        "apis/admin.py", "def has_add_permission", "def unused", "test_the_admin_neither_adds_nor_changes_tokens"
    ),
    # Servers, settings and migrations.
    "model changed without a migration": Mutation(
        "accounts/models.py",
        "class User(AbstractUser):\n",
        "class User(AbstractUser):\n    age = __import__('django.db.models').db.models.IntegerField(null=True)\n",
        "test_models_have_their_migrations",
    ),
    "wsgi.py broken": Mutation(
        "django_project/wsgi.py",
        "    return response\n",
        "    return []\n",
        "test_the_wsgi_application_responds_whatever_the_query",
    ),
    "asgi.py broken": Mutation(
        "django_project/asgi.py", "application = ", "app = ", "test_the_asgi_application_responds"
    ),
    "not ready without the cache": Mutation(
        "core/health.py",
        'OPTIONAL = {"cache"}',
        "OPTIONAL = {None}",
        "test_not_ready_without_the_database_and_ready_without_the_cache",
    ),
    "not ready but 200": Mutation(
        "core/health.py",
        "status=200 if ok else 503",
        "status=200",
        "test_not_ready_without_the_database_and_ready_without_the_cache",
    ),
    "any request id accepted": Mutation(
        "core/middleware.py", "if REQUEST_ID.fullmatch(sent)", "if sent", "test_a_malformed_request_id_is_replaced"
    ),
    "security headers missing": Mutation(
        SETTINGS,
        '    "core.middleware.SecurityHeadersMiddleware",\n',
        "",
        "test_security_headers_are_sent_with_every_response",
    ),
    "chunked bodies read as empty": Mutation(
        "core/middleware.py",
        'if "Transfer-Encoding" in request.headers:',
        "if False:",
        "test_a_request_that_would_be_misread_is_refused",
    ),
    "environment variable missing in the README": Mutation(
        "README.md", "| `LOG_LEVEL` |", "| LOG_LEVEL |", "test_settings_example_and_readme_list_the_same_variables"
    ),
    # Tokens and logging in.
    "token stored as it is": Mutation(
        "apis/models.py",
        "return hashlib.sha256(key.encode()).hexdigest()",
        "return key",
        "test_the_database_has_a_digest_which_does_not_authenticate",
    ),
    "tokens do not expire": Mutation(
        AUTHENTICATION, "expires_at__gt=timezone.now()", "", "test_a_token_expires_and_is_deleted_with_the_next_login"
    ),
    "tokens outlive a password": Mutation(
        AUTHENTICATION, " or not token.is_current()", "", "test_a_changed_password_ends_the_tokens_of_its_user_alone"
    ),
    "tokens end when the secret key is rotated": Mutation(
        "apis/models.py",
        ", *self.user.get_session_auth_fallback_hash()]",
        "]",
        "test_tokens_outlive_the_rotation_of_the_secret_key_as_long_as_it_is_a_fallback",
    ),
    "any number of tokens": Mutation(
        "apis/models.py",
        "            own.exclude(pk__in=kept).delete()\n",
        "",
        "test_the_oldest_tokens_of_a_user_end_when_there_are_too_many",
    ),
    "inactive users keep their tokens": Mutation(
        AUTHENTICATION, " or not token.user.is_active", "", "test_an_inactive_user_has_no_valid_token"
    ),
    "names not normalized": Mutation(
        "apis/views.py",
        "get_user_model().normalize_username(credentials[",
        "str(credentials[",
        "test_a_name_is_normalized_as_in_the_login_form",
    ),
    "login attempts not limited": Mutation(
        LIMITS, "        raise TooManyAttemptsError(wait)", "        pass", "test_many_wrong_passwords_end_in_429"
    ),
    "login attempts of an account not limited": Mutation(
        LIMITS,
        ', f"login:account:{digest(str(name))}")',
        ",)",
        "test_the_limit_of_an_account_holds_whatever_ip_addresses_are_used",
    ),
    "successful logins counted": Mutation(
        LIMITS, "        forget(window)", "        pass", "test_successful_logins_do_not_count"
    ),
    "logins by another backend counted": Mutation(
        LIMITS, "@receiver(user_logged_in)\n", "", "test_logins_by_other_backends_are_not_limited"
    ),
    "logins without a password counted": Mutation(
        LIMITS, " or name is None or password is None:", ":", "test_logins_by_other_backends_are_not_limited"
    ),
    "tokens by another backend counted": Mutation(
        "apis/views.py", "        forget_attempt(request)\n", "", "test_logins_by_another_backend_are_not_limited"
    ),
    "mails to one address not limited": Mutation(
        LIMITS,
        ', f"reset:email:{email}")',
        ")",
        "test_the_mails_to_one_e_mail_address_are_limited_from_all_ip_addresses",
    ),
    "links of mails to another host": Mutation(
        "accounts/templates/accounts/password_reset_email.txt",
        "{{ domain }}",
        "localhost",
        "test_the_link_has_the_scheme_and_host_that_the_proxy_reports",
    ),
    "admin's page to change a password replaced": Mutation(
        "accounts/urls.py",
        'PAGE = "accounts/page.html"',
        'PAGE = "registration/password_change_form.html"',
        "test_the_link_of_the_mail_leads_to_a_new_password",
    ),
    "one token revoked instead of all": Mutation(
        "apis/admin.py",
        "Token.objects.filter(user__in=users).delete()",
        "queryset.delete()",
        "test_the_admin_revokes_all_tokens_of_the_users_of_the_selected_ones",
    ),
    # Permissions and throttles.
    "new resources open to all": Mutation(
        SETTINGS,
        "apis.permissions.IsAuthenticatedWithModelPermissions",
        "rest_framework.permissions.AllowAny",
        "test_reading_a_model_needs_a_signed_in_user",
    ),
    "permission for the model not needed": Mutation(
        "apis/permissions.py",
        "return not has_model(view) or ",
        "return True or ",
        "test_writing_a_model_needs_its_permission",
    ),
    "throttles let everything through": Mutation(
        "apis/throttling.py", "return not self.seconds", "return True", "test_exactly_the_rate_is_let_through"
    ),
    "forwarded addresses always trusted": Mutation(
        "core/rate_limits.py",
        "settings.TRUSTED_PROXIES and forwarded",
        "forwarded",
        "test_only_trusted_proxies_report_the_ip_address_of_a_client",
    ),
    "each IPv6 address limited alone": Mutation(
        "core/rate_limits.py", "(address, 64)", "(address, 128)", "test_a_client_of_ipv6_is_known_by_its_network"
    ),
    # Viewsets.
    "filters skipped for single rows": Mutation(
        VIEWSETS,
        "super().get_object()",
        "self.get_queryset().get(pk=self.kwargs['pk'])",
        "test_filters_hold_for_single_books_too",
    ),
    "changes of what the client has not seen": Mutation(
        VIEWSETS, 'expected != "*"', "False", "test_a_write_based_on_an_old_state_is_refused_and_changes_nothing"
    ),
    "ETag without the state": Mutation(
        VIEWSETS,
        "state = state_of(instance)",
        'state = "0" * 32',
        "test_each_write_responds_with_the_etag_for_the_next_one",
    ),
    "ETag without many-to-many relations": Mutation(
        VIEWSETS,
        "sorted(str(key) for key in related if key is not None)",
        "[]",
        "test_a_changed_many_to_many_relation_changes_the_state",
    ),
    "ETag of a row before it is stored": Mutation(
        VIEWSETS,
        "self.request.method not in SAFE_METHODS:\n            # The database",
        "False:\n            #",
        "test_the_etag_of_a_write_is_that_of_the_stored_row",
    ),
    "rows not locked": Mutation(
        VIEWSETS,
        "                lock(instance, database)\n",
        "                pass\n",
        "test_a_write_sees_what_was_written_before_it_got_the_lock",
    ),
    "creations without a transaction": Mutation(
        VIEWSETS,
        "        with self.write_transaction():\n            return self.tagged(super().create(",
        "        if True:\n            return self.tagged(super().create(",
        "test_a_write_that_fails_leaves_nothing_behind",
    ),
    "ETags reveal hidden columns": Mutation(
        VIEWSETS,
        "settings.SECRET_KEY.encode()",
        "b''",
        "test_the_etag_does_not_reveal_columns_that_the_serializer_hides",
    ),
    "transactions of another database": Mutation(
        VIEWSETS,
        "None if queryset is None else queryset.select_for_update().db",
        "",
        "test_a_write_is_in_a_transaction_of_the_database_of_its_model",
    ),
    # Errors.
    "taken unique value is 500": Mutation(
        "apis/exceptions.py",
        '"SQLITE_CONSTRAINT_UNIQUE", ',
        "",
        "test_a_value_taken_by_a_request_at_the_same_time_is_a_conflict",
    ),
    "each IntegrityError is a conflict": Mutation(
        "apis/exceptions.py",
        "case IntegrityError() if is_conflict(error):",
        "case IntegrityError():",
        "test_an_exception_in_a_view_is_a_problem_that_tells_nothing_about_the_inside",
    ),
    "errors of a model's validation are 500": Mutation(
        "apis/exceptions.py",
        "case DjangoValidationError():",
        "case DjangoValidationError() if False:",
        "test_an_error_of_full_clean_names_its_fields",
    ),
    "unknown URLs of the API are pages": Mutation(
        SETTINGS, '    "apis.exceptions.ProblemMiddleware",\n', "", "test_an_error_is_a_problem_in_json"
    ),
    "deeply nested JSON is 500": Mutation(
        "apis/parsers.py",
        "except RecursionError",
        "except ZeroDivisionError",
        "test_json_nested_too_deeply_is_a_bad_request",
    ),
    # Lists.
    "unknown query parameters ignored": Mutation(
        SETTINGS,
        '        "apis.filters.StrictQueryParameters",\n',
        "",
        "test_an_unknown_parameter_is_refused_and_the_known_ones_are_named",
    ),
    "filter sets of one's own skipped": Mutation(
        "apis/filters.py",
        "if filterset_class and filters_by_parameters_alone(filterset_class):",
        "if filterset_class:",
        "test_the_lazy_backend_finds_the_same_rows_as_django_filters_own",
    ),
    "row of a list without the end of its URL": Mutation(
        "apis/serializers.py",
        "{before}{value}{after[0]}",
        "{before}{value}",
        "test_a_list_of_columns_equals_the_details_without_instances",
    ),
    "representation of one's own ignored in lists": Mutation(
        "apis/serializers.py",
        '"create", "update"',
        '"create", "update", "to_representation"',
        "test_a_serializer_with_code_of_its_own_is_called_for_each_row",
    ),
    "column of another name in lists": Mutation(
        "apis/serializers.py",
        "return str(field.source)",
        "return str(field.field_name)",
        "test_a_list_of_columns_equals_the_details_without_instances",
    ),
    "links lead to another version": Mutation(
        SETTINGS, '"rest_framework.versioning.NamespaceVersioning"', "None", "test_a_book_has_exactly_these_fields"
    ),
    "matches beyond the candidates missing": Mutation(
        KEYSET, "if len(rows) < count:", "if False:", "test_filtered_lists_show_each_row_once"
    ),
    "null values in the wrong place": Mutation(
        ORDERING_KEYS,
        '{"postgresql", "oracle"}',
        '{"postgresql", "oracle", "sqlite"}',
        "test_each_row_is_on_one_page_in_every_ordering",
    ),
    "rows of window functions missing": Mutation(
        "core/queryset_ordering.py", "all(accepted)", "True", "test_what_a_filter_would_change_is_paged_by_position"
    ),
    "values that fields convert are keys": Mutation(
        ORDERING_KEYS,
        '    return not own and not hasattr(field, "from_db_value")',
        "    return True",
        "test_what_converts_values_is_no_key",
    ),
    "rows with null values missing": Mutation(
        ORDERING_KEYS,
        "if self.field.null and not self.nulls_first:",
        "if False:",
        "test_each_row_is_on_one_page_in_every_ordering",
    ),
    "list counts its rows": Mutation(
        KEYSET,
        "    start = KeysetCursor.decode(cursor)",
        "    queryset.count()\n    start = KeysetCursor.decode(cursor)",
        "test_the_same_number_of_queries_however_many_books",
    ),
    # Search.
    "letters without a decomposition not found": Mutation(
        "core/search.py", '        "ł": "l",\n', "", "test_a_row_is_found_by_parts_of_its_words_in_any_order"
    ),
    "short terms found within words": Mutation(
        "core/search.py", "if len(term) >= TRIGRAM_LENGTH else", "if term else", "test_short_terms_begin_a_word"
    ),
    "rows not rebuilt": Mutation(
        "core/management/commands/rebuild_search.py",
        "in searchable_models():",
        "in ():",
        "test_a_command_repairs_rows_that_were_changed_past_save",
    ),
}
