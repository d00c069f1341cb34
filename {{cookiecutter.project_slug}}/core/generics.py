"""What the API's views share."""

from collections.abc import Mapping
from typing import IO, Any

from django.db import models, transaction
from django.db.models import QuerySet
from rest_framework import parsers, serializers, views, viewsets
from rest_framework.exceptions import MethodNotAllowed, ParseError
from rest_framework.request import Request
from rest_framework.response import Response


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
            raise MethodNotAllowed(str(request.method))
        super().initial(request, *args, **kwargs)


class ModelViewSet(APIView, viewsets.ModelViewSet):
    """Everything that can be done with the rows of a model. A write that fails leaves nothing behind."""

    http_method_names = ["get", "head", "options", "post", "put", "patch", "delete"]

    def get_queryset(self) -> QuerySet[Any]:
        queryset = super().get_queryset()
        # Two changes of one row wait for each other, so that neither writes back what the other has replaced.
        return queryset.select_for_update() if self.action in {"update", "partial_update"} else queryset

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


class ModelSerializer(serializers.HyperlinkedModelSerializer[Any]):
    """DRF's serializer of a model, with `TextField` for its texts."""

    serializer_field_mapping = {
        **serializers.ModelSerializer.serializer_field_mapping,
        models.CharField: TextField,
        models.TextField: TextField,
    }
