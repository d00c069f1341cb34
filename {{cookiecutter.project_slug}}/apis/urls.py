"""The addresses of the API that do not belong to a resource."""

from django.urls import path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from apis.auth import TokenView, UserView
from apis.root import RootView

urlpatterns = [
    path("", RootView.as_view(), name="api-root"),
    path("schema/", SpectacularAPIView.as_view(), name="api-schema"),
    path(
        "docs/",
        SpectacularSwaggerSplitView.as_view(url_name="api-schema", template_name="apis/swagger.html"),
        name="api-docs",
    ),
    path("v1/auth/token/", TokenView.as_view(), name="auth-token"),
    path("v1/auth/user/", UserView.as_view(), name="auth-user"),
]
