"""How views become the OpenAPI document. https://drf-spectacular.readthedocs.io/en/latest/customization.html"""

from typing import Any

from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema as SpectacularAutoSchema
from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers
from rest_framework.permissions import SAFE_METHODS, DjangoModelPermissionsOrAnonReadOnly

from core.problems import EXAMPLE, MEDIA_TYPE, problem

# What may be wrong with any request, and with one that has a body.
ANY = {
    401: "not_authenticated",
    405: "method_not_allowed",
    406: "not_acceptable",
    429: "throttled",
    503: "unavailable",
}
BODY = {400: "invalid", 413: "too_large", 415: "unsupported_media_type"}


class FieldErrorSerializer(serializers.Serializer[Any]):
    field = serializers.CharField()
    code = serializers.CharField()
    detail = serializers.CharField()


@extend_schema_serializer(component_name="Problem")
class ProblemSerializer(serializers.Serializer[Any]):
    """The body of every error: a problem of RFC 9457."""

    type = serializers.CharField(default="about:blank")
    title = serializers.CharField(help_text="The name of the status.")
    status = serializers.IntegerField()
    code = serializers.CharField(help_text="What is wrong, for programs; stable.")
    detail = serializers.CharField(help_text="What is wrong, for people.")
    request_id = serializers.CharField(help_text="Also in the log and in the header `X-Request-ID`.")
    # A serializer has this name for something else, which a declared field does not hide.
    errors: Any = FieldErrorSerializer(many=True, required=False, help_text="What is wrong.")


class AutoSchema(SpectacularAutoSchema):
    """drf-spectacular's description of a view, with the errors that it answers."""

    def get_operation(self, *args: Any, **kwargs: Any) -> Any:
        operation = super().get_operation(*args, **kwargs)
        if operation is None:
            return None
        codes = dict(ANY)
        if "requestBody" in operation:
            codes |= BODY
            if hasattr(self.view, "queryset"):
                codes[409] = "conflict"
        if any(parameter["in"] == "query" for parameter in operation.get("parameters", [])):
            codes[400] = "invalid"
        if self.method not in SAFE_METHODS and {} not in operation.get("security", [{}]):
            codes[403] = "permission_denied"
        if "{" in self.path:
            codes |= {404: "not_found", 412: "precondition_failed"}
        schema = self.resolve_serializer(ProblemSerializer, "response").ref
        for status, code in sorted(codes.items()):
            example = {"value": {**problem(status, code, EXAMPLE), "request_id": "…"}}
            content = {MEDIA_TYPE: {"schema": schema, "examples": {code: example}}}
            operation["responses"][str(status)] = {"description": example["value"]["title"], "content": content}
        return operation

    def get_auth(self) -> list[Any]:
        """Also nothing, where reading is open: drf-spectacular does not know this permission."""
        auth = super().get_auth()
        open_to_all = any(isinstance(p, DjangoModelPermissionsOrAnonReadOnly) for p in self.view.get_permissions())
        return [*auth, {}] if open_to_all and self.method in SAFE_METHODS and {} not in auth else auth


class TextFieldExtension(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]  # partly typed library
    """A required text holds more than white space."""

    target_class = "core.generics.TextField"
    match_subclasses = False

    def map_serializer_field(self, auto_schema: Any, direction: str) -> Any:
        schema = auto_schema._map_serializer_field(self.target, direction, bypass_extensions=True)
        if direction == "request" and self.target.trim_whitespace and not self.target.allow_blank:
            # Exactly what `str.strip` strips.
            schema["pattern"] = r"[^\s\u001c-\u001f\u0085]"
        return schema
