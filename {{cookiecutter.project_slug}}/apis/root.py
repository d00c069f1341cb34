"""The way in: where a client that knows nothing but `/api/` finds everything else."""

from django.urls import get_resolver
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from apis.generics import APIView


class RootView(APIView):
    """Links to the documentation, to the resources and to logging in."""

    permission_classes = (AllowAny,)

    @extend_schema(summary="What there is", responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> Response:
        # A router calls the list of a resource `book-list`, `author-list`, …
        lists = sorted(name for name in get_resolver().reverse_dict if str(name).endswith("-list"))
        links = {
            address.rstrip("/").rsplit("/", 1)[1]: address for address in (reverse(n, request=request) for n in lists)
        }
        return Response(
            {
                **links,
                "token": reverse("auth-token", request=request),
                "user": reverse("auth-user", request=request),
                "schema": reverse("api-schema", request=request),
                "docs": reverse("api-docs", request=request),
            }
        )
