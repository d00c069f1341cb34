"""The URLs of the API: its root, its documentation and its versions."""

from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from apis.views import RootView

# A second version is a folder beside v1/, and a line and a schema of its own here. Links in a response stay within the
# version of the request.
urlpatterns = [
    path("", RootView.as_view(), name="api-root"),
    path("schema/", SpectacularAPIView.as_view(api_version="v1"), name="api-schema"),
    path(
        "docs/",
        SpectacularSwaggerSplitView.as_view(
            url_name="api-schema", template_name="apis/swagger.html", http_method_names=["get", "head"]
        ),
        name="api-docs",
    ),
    path("v1/", include(("apis.v1.urls", "v1"))),
]
