"""Pages of lists: `{"next": …, "previous": …, "results": […]}`."""

from typing import Any

from rest_framework.exceptions import ValidationError
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings

from core.keyset import InvalidCursorError, KeysetPage, paginate


class KeysetPagination(BasePagination):
    """Keyset pagination in the ordering that the queryset has: by `?ordering=`, the view or the model.

    The attributes have the names and meanings of DRF's other pagination classes.
    """

    page_size: int | None = api_settings.PAGE_SIZE
    page_size_query_param: str | None = "page_size"
    max_page_size = 100
    cursor_query_param = "cursor"

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any] | None:
        """Return the rows of the page, or None without a page size. Raises ValidationError for bad parameters."""
        self.request = request
        self.page: KeysetPage
        size = self.get_page_size(request)
        if size is None:
            return None
        own = {self.cursor_query_param, self.page_size_query_param, api_settings.ORDERING_PARAM}
        try:
            self.page = paginate(
                queryset,
                size=size,
                cursor=request.query_params.get(self.cursor_query_param, ""),
                # Any other parameter may be a filter.
                filtered=bool(set(request.query_params) - own),
            )
        except InvalidCursorError as error:
            raise ValidationError({self.cursor_query_param: str(error)}) from error
        return self.page.rows

    def get_page_size(self, request: Request) -> int | None:
        name = self.page_size_query_param
        if not name or name not in request.query_params:
            return self.page_size
        text = request.query_params[name]
        if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= self.max_page_size):
            raise ValidationError({name: f"Use a number from 1 to {self.max_page_size}."})
        return int(text)

    def get_paginated_response(self, data: Any) -> Response:
        return Response(
            {"next": self.link(self.page.next), "previous": self.link(self.page.previous), "results": data}
        )

    def link(self, cursor: str | None) -> str | None:
        """Return the URL of a neighbouring page; that of the first page has no cursor."""
        if cursor is None:
            return None
        query = self.request.query_params.copy()
        query[self.cursor_query_param] = cursor
        if not cursor:
            del query[self.cursor_query_param]
        return self.request.build_absolute_uri(f"{self.request.path}?{query.urlencode()}".rstrip("?"))

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        example = "http://127.0.0.1:8000/api/v1/?cursor=…"
        link = {"type": ["string", "null"], "format": "uri", "example": example}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {"next": link, "previous": link, "results": schema},
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        cursor: dict[str, Any] = {"type": "string", "format": "cursor"}
        parameters = [(self.cursor_query_param, "The cursor of a page, from `next` or `previous`.", cursor)]
        if self.page_size_query_param:
            sizes = {"type": "integer", "minimum": 1, "maximum": self.max_page_size, "default": self.page_size}
            parameters.append((self.page_size_query_param, "The maximum number of results.", sizes))
        return [
            {"name": name, "in": "query", "required": False, "description": description, "schema": schema}
            for name, description, schema in parameters
        ]
