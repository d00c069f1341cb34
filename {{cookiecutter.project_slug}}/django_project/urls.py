"""Which view answers which address. https://docs.djangoproject.com/en/5.2/topics/http/urls/"""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path

from core.pages import icon

admin.site.site_title = admin.site.site_header = settings.PROJECT["name"]

handler400 = "core.pages.bad_request"
handler403 = "core.pages.permission_denied"
handler404 = "core.pages.page_not_found"
handler500 = "core.pages.server_error"

urlpatterns = [
    # % if cookiecutter.include_books
    path("", include("books.urls")),
    # % endif
    # % if not cookiecutter.include_books
    path("", include("core.urls")),
    # % endif
    # % if cookiecutter.include_apis
    path("api/", include("apis.urls")),
    # % endif
    # % if cookiecutter.include_apis and cookiecutter.include_books
    path("api/v1/", include("apis.v1")),
    # % endif
    path("admin/", admin.site.urls),
    path("favicon.ico", icon, name="icon"),
]
