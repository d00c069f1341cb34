"""Lists of the API come in pages: `{"next": …, "previous": …, "results": […]}`."""

from typing import Any

from rest_framework.exceptions import ValidationError
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import remove_query_param, replace_query_param
from rest_framework.views import APIView

from core.paging import InvalidCursorError, Page, paginate

PAGE_SIZE = 20
MAX_PAGE_SIZE = 100
PAGE_SIZES = {str(size) for size in range(1, MAX_PAGE_SIZE + 1)}


class KeysetPagination(BasePagination):
    """Pages of `page_size` rows from `cursor` on, ordered by one of the view's `ordering_fields`, `-` reverses."""

    query_params = ("cursor", "page_size", "ordering")

    def paginate_queryset(self, queryset: Any, request: Request, view: APIView | None = None) -> list[Any]:
        self.request = request
        self.page: Page
        allowed = orderings(view)
        ordering = request.query_params.get("ordering", allowed[0])
        if ordering not in allowed:
            raise ValidationError({"ordering": f"Use one of: {', '.join(allowed)}."})
        size = request.query_params.get("page_size", str(PAGE_SIZE))
        if size not in PAGE_SIZES:
            raise ValidationError({"page_size": f"Use a number from 1 to {MAX_PAGE_SIZE}."})
        try:
            self.page = paginate(
                queryset, ordering=ordering, size=int(size), cursor=request.query_params.get("cursor", "")
            )
        except InvalidCursorError as error:
            raise ValidationError({"cursor": str(error)}) from error
        return self.page.rows

    def get_paginated_response(self, data: Any) -> Response:
        return Response(
            {"next": self.link(self.page.next), "previous": self.link(self.page.previous), "results": data}
        )

    def link(self, cursor: str | None) -> str | None:
        """The address of a neighbour."""
        if cursor is None:
            return None
        address = self.request.build_absolute_uri()
        return replace_query_param(address, "cursor", cursor) if cursor else remove_query_param(address, "cursor")

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        example = "http://127.0.0.1:8000/api/v1/?cursor=…"
        link = {"type": ["string", "null"], "format": "uri", "example": example}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {"next": link, "previous": link, "results": schema},
        }

    def get_schema_operation_parameters(self, view: APIView) -> list[dict[str, Any]]:
        def parameter(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
            return {"name": name, "in": "query", "required": False, "description": description, "schema": schema}

        sizes = {"type": "integer", "minimum": 1, "maximum": MAX_PAGE_SIZE, "default": PAGE_SIZE}
        allowed = orderings(view)
        return [
            parameter(
                "cursor", "Where the page starts, from `next` or `previous`.", {"type": "string", "format": "cursor"}
            ),
            parameter("page_size", "The most results of a page.", sizes),
            parameter("ordering", "The order.", {"type": "string", "enum": allowed, "default": allowed[0]}),
        ]


def orderings(view: Any) -> list[str]:
    """What `ordering` can be for this view; the first is the default. A field with `-` in front may be that, too."""
    fields = view.ordering_fields
    return [*fields, *(field[1:] if field.startswith("-") else f"-{field}" for field in fields)]
