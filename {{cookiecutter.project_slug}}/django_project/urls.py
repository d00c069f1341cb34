"""Which view responds to which URL. https://docs.djangoproject.com/en/5.2/topics/http/urls/"""

from django.conf import settings
from django.conf.urls.static import static
from django.contrib import admin
from django.urls import include, path

from core.views import icon

admin.site.site_title = admin.site.site_header = settings.PROJECT["name"]

handler400 = "core.views.bad_request"
handler403 = "core.views.permission_denied"
handler404 = "core.views.page_not_found"
handler500 = "core.views.server_error"

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
    path("accounts/", include("accounts.urls")),
    path("admin/", admin.site.urls),
    path("favicon.ico", icon, name="icon"),
    # Only with DEBUG; in production the proxy serves uploads.
] + static(settings.MEDIA_URL, document_root=settings.MEDIA_ROOT)
