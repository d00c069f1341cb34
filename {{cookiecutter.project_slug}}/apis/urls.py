"""The addresses of the API that do not belong to a resource, and its root, which leads to all others."""

from typing import Any

from django.urls import get_resolver, path
from drf_spectacular.utils import OpenApiExample, extend_schema
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from apis.auth import TokenView, UserView
from core.generics import APIView


class RootView(APIView):
    """Links to the documentation, to the resources and to logging in."""

    permission_classes = (AllowAny,)

    @extend_schema(
        operation_id="root",
        summary="What there is",
        responses={200: {"type": "object", "additionalProperties": {"type": "string", "format": "uri"}}},
        examples=[OpenApiExample("Links", {"docs": "http://127.0.0.1:8000/api/docs/"})],
    )
    def get(self, request: Request) -> Response:
        # A router calls the list of a resource `NAME-list`.
        patterns: Any = get_resolver().reverse_dict
        routes = {str(name): found[0][0] for name, found in patterns.items()}
        links = {
            route.rstrip("/").rpartition("/")[2]: reverse(name, request=request)
            for name, (route, arguments) in sorted(routes.items())
            if name.endswith("-list") and route.startswith("api/") and not arguments
        }
        names = {"token": "auth-token", "user": "auth-user", "schema": "api-schema", "docs": "api-docs"}
        return Response(links | {word: reverse(name, request=request) for word, name in names.items()})


urlpatterns = [
    path("", RootView.as_view(), name="api-root"),
    path("schema/", SpectacularAPIView.as_view(), name="api-schema"),
    path(
        "docs/",
        SpectacularSwaggerSplitView.as_view(
            url_name="api-schema", template_name="apis/swagger.html", http_method_names=["get", "head"]
        ),
        name="api-docs",
    ),
    path("v1/auth/token/", TokenView.as_view(), name="auth-token"),
    path("v1/auth/user/", UserView.as_view(), name="auth-user"),
]
