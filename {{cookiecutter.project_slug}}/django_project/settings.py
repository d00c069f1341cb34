"""Settings of the project: first what differs between machines, then the rest, as in the file of `startproject`.

What differs comes from the environment, or else from the file .env; README.md lists the variables.
https://docs.djangoproject.com/en/5.2/ref/settings/
"""

import logging
import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import django
from environs import FileAwareEnv, validate

BASE_DIR = Path(__file__).resolve().parent.parent

# The name and the description that pages and documents show.
PROJECT = {
    "name": "{{ cookiecutter.project_name | in_quotes }}",
    "description": "{{ cookiecutter.description | in_quotes }}",
}

# A rate limit, such as 120/min.
RATE = validate.Regexp(r"[1-9][0-9]*/(sec|min|hour|day)\Z", error="Write it as 5/sec, 120/min, 1000/hour or 9000/day.")

# One of the ALLOWED_HOSTS: a host name or an IP address, without a port.
HOST = validate.Regexp(r"(\[[0-9a-f:.]+\]|[^/:\s]+)\Z", error="Write host names without https://, port or path.")

# A mail server. The default ports are smtp 25, submission (STARTTLS) 587 and smtps (TLS) 465.
MAIL_SERVER = validate.Regexp(
    r"(console:|(smtp|submission|smtps)://([^@/?#\s]+@)?([\w.-]+|\[[0-9a-f:]+\])(:[0-9]{1,5})?)?\Z",
    error="Write it as submission://user:password@host:587, with special characters percent-encoded: @ is %40.",
)

# Each variable can also come from a file, such as SECRET_KEY from the file that SECRET_KEY_FILE names.
env = FileAwareEnv(strip_whitespace=True)
env.read_env(BASE_DIR / ".env", recurse=False)
try:
    DEBUG = env.bool("DEBUG", False)
    SECRET_KEY = env.str("SECRET_KEY", validate=validate.Length(min=1))
    # Old keys, whose sessions and tokens stay valid while the key is rotated.
    SECRET_KEY_FALLBACKS: list[str] = env.list("SECRET_KEY_FALLBACKS", [], subcast=str.strip)
    ALLOWED_HOSTS = env.list(
        "ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"], subcast=lambda host: HOST(host.strip())
    )
    DATABASE = env.dj_db_url("DATABASE_URL", "sqlite:///db.sqlite3")
    CACHE_URL = env.str("CACHE_URL", "", validate=validate.Regexp(r"\Z|(rediss?|unix)://", error="Use redis://host"))
    mail = urlsplit(env.str("EMAIL_URL", "", validate=MAIL_SERVER) or ("console:" if DEBUG else "smtp://localhost"))
    mail_port = mail.port or {"smtp": 25, "submission": 587, "smtps": 465}.get(mail.scheme)
    # The sender of mails.
    DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.str("DEFAULT_FROM_EMAIL", "webmaster@localhost")
    CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", [], subcast=str.strip)
    HTTPS = env.bool("HTTPS", not DEBUG)
    TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", 0, validate=validate.Range(min=0))
    LOG_LEVEL = env.str(
        "LOG_LEVEL", "INFO", validate=validate.OneOf(["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"])
    )
    # The maximum milliseconds of a PostgreSQL statement; 0 means no limit. gunicorn.conf.py has another default.
    STATEMENT_TIMEOUT = env.int("STATEMENT_TIMEOUT", 0, validate=validate.Range(min=0))
    # The number of server processes, for the size of the connection pool. gunicorn.conf.py has another default.
    WEB_CONCURRENCY = env.int("WEB_CONCURRENCY", 1, validate=validate.Range(min=1))
    # The path below which a proxy serves the project.
    SCRIPT_NAME = env.str(
        "SCRIPT_NAME", "", validate=validate.Regexp(r"(/[\w.~-]+)*\Z", error="Write it as /library.")
    )
    LOGIN_RATE = env.str("THROTTLE_LOGIN", "10/min", validate=RATE)
    # % if cookiecutter.include_apis
    CORS_ALLOWED_ORIGINS: list[str] = env.list("CORS_ALLOWED_ORIGINS", [], subcast=str.strip)
    THROTTLE_RATES = {
        "anon": env.str("THROTTLE_ANON", "120/min", validate=RATE),
        "user": env.str("THROTTLE_USER", "600/min", validate=RATE),
    }
    # % endif
except ValueError as error:
    sys.exit(f"{str(error).rstrip('.')}. Set it in the environment or in .env; .env.example lists all variables.")

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    # % if cookiecutter.include_apis
    # Before `rest_framework`, to extend its template of the browsable API.
    "apis",
    "corsheaders",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "rest_framework",
    # % endif
    "core",
    "accounts",
    # % if cookiecutter.include_books
    "books",
    # % endif
]

# The order matters: a request passes from the first to the last, its response the other way.
MIDDLEWARE = [
    # An id for each request, in the log and in the header `X-Request-ID`.
    "core.middleware.RequestIDMiddleware",
    # Health probes, for any host name and without a redirect to HTTPS.
    "core.health.HealthMiddleware",
    # The content security policy.
    "core.middleware.SecurityHeadersMiddleware",
    "django.middleware.security.SecurityMiddleware",
    # % if cookiecutter.include_apis
    "corsheaders.middleware.CorsMiddleware",
    # Errors below `/api/` from outside of DRF's views, in the API's format (RFC 9457).
    "apis.exceptions.ProblemMiddleware",
    # % endif
    # Refuses bodies that are too large, of unknown length or not in UTF-8, and cookies with NUL characters.
    "core.middleware.RequestBodyMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.http.ConditionalGetMiddleware",
    # Django's CommonMiddleware, with redirects that keep the method.
    "core.middleware.SlashMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    # A page with 429 for too many failed logins or password resets.
    "accounts.login_limits.TooManyAttemptsMiddleware",
]

ROOT_URLCONF = "django_project.urls"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "core.context_processors.project",
            ],
        },
    },
]

# The links in the header of every page: the label and the name of the URL.
NAVIGATION = [
    ("Home", "home"),
    # % if cookiecutter.include_apis
    ("API", "api-root"),
    ("API documentation", "api-docs"),
    # % endif
    ("Admin", "admin:index"),
]

WSGI_APPLICATION = "django_project.wsgi.application"
FORCE_SCRIPT_NAME = SCRIPT_NAME or None

# Database: https://docs.djangoproject.com/en/5.2/ref/databases/
if DATABASE["ENGINE"] == "django.db.backends.sqlite3":
    if DATABASE["NAME"] != ":memory:":
        DATABASE["NAME"] = BASE_DIR / DATABASE["NAME"]
    DATABASE["OPTIONS"] = {
        # WAL: readers and the writer do not block each other. IMMEDIATE: a second writer waits for the first.
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
    }
elif DATABASE["ENGINE"] == "django.db.backends.postgresql":
    # Check a connection before a request uses it.
    DATABASE["CONN_HEALTH_CHECKS"] = True
    pool = {
        "min_size": 1,
        # For each process. During a deployment, two containers of at most 40 stay below PostgreSQL's limit of 100.
        "max_size": max(1, min(4, 40 // WEB_CONCURRENCY)),
        "max_idle": 60,
        # After a restart of the database, a request may get several dead connections in a row. The pool doubles its
        # pause before each retry: with four connections, all pauses together are shorter than `timeout`.
        "timeout": 10,
        "reconnect_timeout": 5,
    }
    DATABASE["OPTIONS"] = {
        # When to give up if the host does not respond: seconds to connect, milliseconds on an open connection.
        "connect_timeout": 5,
        "tcp_user_timeout": 10_000,
        **DATABASE.get("OPTIONS", {}),
        "pool": pool,
    }
DATABASES = {"default": DATABASE}

CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": CACHE_URL,
        # Seconds. If the cache is down, each access waits up to this long, and no rate limit applies.
        "OPTIONS": {"socket_connect_timeout": 0.25, "socket_timeout": 0.25},
    }
    if CACHE_URL
    # With Django's default of 300 entries, the cache could drop counters of rate limits.
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "OPTIONS": {"MAX_ENTRIES": 20_000}}
}

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["accounts.login_limits.LimitedModelBackend"]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "home"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
# The limit of password-reset mails, for each e-mail address and each IP address.
PASSWORD_RESET_RATE = "10/hour"  # noqa: S105  # a rate, not a password

# Mail: https://docs.djangoproject.com/en/5.2/topics/email/
MAIL_BACKEND = f"django.core.mail.backends.{'console' if mail.scheme == 'console' else 'smtp'}.EmailBackend"
smtp: dict[str, Any] = {
    "host": mail.hostname,
    "port": mail_port,
    "username": unquote(mail.username or ""),
    "password": unquote(mail.password or ""),
    # TLS by STARTTLS, or from the first byte.
    "use_tls": mail.scheme == "submission",
    "use_ssl": mail.scheme == "smtps",
    # Seconds to wait for a server that does not respond.
    "timeout": 10,
}
# Django 6.1 has one setting instead: https://docs.djangoproject.com/en/6.1/howto/mailers-migration/
if django.VERSION >= (6, 1):
    MAILERS = {"default": {"BACKEND": MAIL_BACKEND, "OPTIONS": {} if mail.scheme == "console" else smtp}}
else:
    EMAIL_BACKEND = MAIL_BACKEND
    EMAIL_HOST, EMAIL_PORT = smtp["host"], smtp["port"]
    EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = smtp["username"], smtp["password"]
    EMAIL_USE_TLS, EMAIL_USE_SSL, EMAIL_TIMEOUT = smtp["use_tls"], smtp["use_ssl"], smtp["timeout"]

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True

# Static and uploaded files: https://whitenoise.readthedocs.io/en/stable/django.html
STATIC_URL = f"{SCRIPT_NAME}/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
# Pages link only to hashed names; dropping the unhashed copies makes the Docker image 10 MB smaller.
WHITENOISE_KEEP_ONLY_HASHED_FILES = True
# Uploads, which the proxy serves in production: docs/operate.md. In containers this is a volume.
MEDIA_URL = f"{SCRIPT_NAME}/media/"
MEDIA_ROOT = BASE_DIR / "media"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage",
    },
}

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Security: https://docs.djangoproject.com/en/5.2/topics/security/
SECURE_SSL_REDIRECT = HTTPS
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SECURE = HTTPS
CSRF_FAILURE_VIEW = "core.views.csrf_failure"
SECURE_HSTS_SECONDS = 30 * 24 * 60 * 60 if HTTPS else 0
# These checks ask for HSTS with `includeSubDomains` and `preload`: the owner of the domain decides about that.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
X_FRAME_OPTIONS = "DENY"
# In the admin, an action may select up to 10,000 rows, and its confirmation page posts a field for each.
DATA_UPLOAD_MAX_NUMBER_FIELDS = 11_000
# The maximum bytes of a request with its uploaded files. Django limits a request without its files to 2.5 MB.
MAX_UPLOAD_SIZE = 25 * 1024 * 1024
if TRUSTED_PROXIES:
    # Whether the client used HTTPS. Without a proxy that sets this header, clients could forge it.
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# % if cookiecutter.include_apis
# Django REST framework: https://www.django-rest-framework.org/api-guide/settings/
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        # The first class sets `WWW-Authenticate`, so that missing credentials are 401, not 403.
        "apis.authentication.ExpiringTokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    # A view requires a login, and model permissions for writing, unless its `permission_classes` say otherwise.
    "DEFAULT_PERMISSION_CLASSES": ["apis.permissions.IsAuthenticatedWithModelPermissions"],
    "DEFAULT_FILTER_BACKENDS": [
        # Refuses unknown query parameters. Without this line they are ignored, as in DRF.
        "apis.filters.StrictQueryParameters",
        "apis.filters.LazyDjangoFilterBackend",
        "rest_framework.filters.SearchFilter",
        "rest_framework.filters.OrderingFilter",
    ],
    "DEFAULT_PAGINATION_CLASS": "apis.pagination.KeysetPagination",
    "PAGE_SIZE": 20,
    "DEFAULT_PARSER_CLASSES": [
        "apis.parsers.SafeJSONParser",
        "rest_framework.parsers.FormParser",
        "rest_framework.parsers.MultiPartParser",
    ],
    "DEFAULT_THROTTLE_CLASSES": ["apis.throttling.AnonThrottle", "apis.throttling.UserThrottle"],
    "DEFAULT_THROTTLE_RATES": THROTTLE_RATES,
    "NUM_PROXIES": TRUSTED_PROXIES,
    "DEFAULT_VERSIONING_CLASS": "rest_framework.versioning.NamespaceVersioning",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "apis.exceptions.exception_handler",
}

# The OpenAPI document: https://drf-spectacular.readthedocs.io/en/latest/settings.html
SPECTACULAR_SETTINGS = {
    "TITLE": PROJECT["name"],
    "DESCRIPTION": PROJECT["description"],
    "VERSION": "1.0.0",
    "OAS_VERSION": "3.1.1",
    "SERVERS": [{"url": SCRIPT_NAME}] if SCRIPT_NAME else [],
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "COMPONENT_SPLIT_REQUEST": True,
    "GET_LIB_DOC_EXCLUDES": "apis.schema.library_classes",
    # drf-spectacular's hook for enums is left out: it needs names for fields of the same name with different choices.
    "POSTPROCESSING_HOOKS": ["apis.schema.add_problem_responses", "apis.schema.describe_one_body"],
    "SCHEMA_PATH_PREFIX": r"/api/v[0-9]+",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

# CORS: https://github.com/adamchainz/django-cors-headers#configuration
CORS_ALLOW_HEADERS = [
    "accept",
    "authorization",
    "content-type",
    "if-match",
    "if-none-match",
    "user-agent",
    "x-csrftoken",
    "x-request-id",
    "x-requested-with",
]
CORS_EXPOSE_HEADERS = ["ETag", "Location", "Retry-After", "X-Request-ID"]

# The lifetime of a token in seconds, and the maximum number of a user's tokens: a new one replaces the oldest.
TOKEN_LIFETIME = 30 * 24 * 60 * 60
MAX_TOKENS_PER_USER = 20

# % endif
# Logs: https://docs.djangoproject.com/en/5.2/topics/logging/
logging.captureWarnings(True)
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"request_id": {"()": "core.logs.RequestIDFilter"}},
    "formatters": {
        "json": {"()": "core.logs.JSONFormatter"},
        "text": {"format": "{levelname} {name} {request_id} {message}", "style": "{"},
    },
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "filters": ["request_id"],
            "formatter": "text" if DEBUG else "json",
        },
    },
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    # Django's own handlers would print a record a second time, or mail it.
    "loggers": {"django": {"handlers": [], "level": LOG_LEVEL, "propagate": True}},
}
