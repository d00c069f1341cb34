"""What the API's views share."""

from collections.abc import Mapping
from hashlib import md5
from typing import IO, Any

from django.db import models, transaction
from django.db.models import QuerySet
from django.utils.http import parse_etags, quote_etag
from rest_framework import parsers, serializers, views, viewsets
from rest_framework.exceptions import MethodNotAllowed, ParseError
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from core.problems import PreconditionFailed

WRITES = {"update", "partial_update", "destroy"}


class JSONParser(parsers.JSONParser):
    """JSON in UTF-8, as its standard says, nested less deeply than Python's own stack."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        try:
            return super().parse(stream, media_type, {**(parser_context or {}), "encoding": "utf-8"})
        except RecursionError as error:
            raise ParseError("The JSON is nested too deeply.") from error


class APIView(views.APIView):
    """JSON in, and 405 to everybody for a method that the address does not have, before credentials are asked for."""

    parser_classes = (JSONParser,)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        if request.method not in self.allowed_methods:
            # In the form that the client wants: a browser gets a page, with the forms of the methods that there are.
            self.format_kwarg = None
            request.accepted_renderer, request.accepted_media_type = self.perform_content_negotiation(request, True)
            raise MethodNotAllowed(str(request.method))
        super().initial(request, *args, **kwargs)


# Everything that can be done with the rows of a model. A write that fails leaves nothing behind. (The OpenAPI document
# would show a docstring.)
class ModelViewSet(APIView, viewsets.ModelViewSet):
    http_method_names = ["get", "head", "options", "post", "put", "patch", "delete"]

    def get_queryset(self) -> QuerySet[Any]:
        queryset = super().get_queryset()
        # Two changes of one row wait for each other, so that neither writes back what the other has replaced. Rows
        # that are put together from several, or made distinct, cannot be locked.
        if self.action not in WRITES or queryset.query.group_by or queryset.query.distinct:
            return queryset
        return queryset.select_for_update(of=("self",))

    def get_object(self) -> Any:
        """The row. Raises PreconditionFailed if a write says by `If-Match` that the client has seen it differently."""
        row = super().get_object()
        expected = self.request.headers.get("If-Match", "*").strip()
        if self.action in WRITES and expected != "*":
            body = JSONRenderer().render(self.get_serializer(row).data)
            # What Django's ConditionalGetMiddleware sends.
            if quote_etag(md5(body, usedforsecurity=False).hexdigest()) not in parse_etags(expected):
                raise PreconditionFailed
        return row

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Filters are for lists: one row has an address of its own."""
        return queryset if self.detail else super().filter_queryset(queryset)

    @transaction.atomic
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().create(request, *args, **kwargs)

    @transaction.atomic
    def update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().update(request, *args, **kwargs)

    @transaction.atomic
    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().destroy(request, *args, **kwargs)


class TextField(serializers.CharField):
    """Text and nothing else: DRF's own field takes the number 5 for "5", and measures a text after it is trimmed."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        if self.max_length is not None and len(data) > self.max_length:
            self.fail("max_length", max_length=self.max_length)
        return super().to_internal_value(data)


class RelatedField(serializers.HyperlinkedRelatedField):
    """Another row, by its address; DRF's own field fails at what Python cannot take apart, such as `http://[`."""

    def to_internal_value(self, data: Any) -> Any:
        try:
            return super().to_internal_value(data)
        except ValueError:
            self.fail("no_match")


# DRF's serializer of a model, with the fields from above.
class ModelSerializer(serializers.HyperlinkedModelSerializer[Any]):
    serializer_related_field = RelatedField
    serializer_field_mapping = {
        **serializers.ModelSerializer.serializer_field_mapping,
        models.CharField: TextField,
        models.TextField: TextField,
    }
