"""The OpenAPI document. https://drf-spectacular.readthedocs.io/en/latest/customization.html"""

from http import HTTPStatus
from typing import Any

from drf_spectacular.plumbing import get_lib_doc_excludes

from apis.exceptions import MEDIA_TYPE
from apis.viewsets import ConditionalModelViewSet

PROBLEM = {
    "type": "object",
    "description": "The body of every error: a problem details object (RFC 9457).",
    "required": ["type", "title", "status", "code", "detail", "request_id"],
    "properties": {
        "type": {"type": "string", "default": "about:blank"},
        "title": {"type": "string", "description": "The name of the status."},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "The kind of error, for programs; stable."},
        "detail": {"type": "string", "description": "A description of the error, for people."},
        "request_id": {"type": "string", "description": "Also in the log and in the header `X-Request-ID`."},
        "errors": {
            "type": "array",
            "description": "The invalid fields of the request.",
            "items": {
                "type": "object",
                "required": ["field", "code", "detail"],
                "properties": {name: {"type": "string"} for name in ("field", "code", "detail")},
            },
        },
    },
}
EXAMPLE = {
    "type": "about:blank",
    "title": "Bad Request",
    "status": 400,
    "code": "invalid",
    "detail": "The request has errors.",
    "request_id": "…",
    "errors": [{"field": "name", "code": "required", "detail": "This field is required."}],
}


def add_problem_responses(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """Add the error response of the API to every operation, and a description to responses without one.

    A postprocessing hook of drf-spectacular.
    """
    phrases = {str(status.value): status.phrase for status in HTTPStatus}
    result["components"].setdefault("schemas", {})["Problem"] = PROBLEM
    schema = {"$ref": "#/components/schemas/Problem"}
    response = {"description": "An error.", "content": {MEDIA_TYPE: {"schema": schema, "example": EXAMPLE}}}
    result["components"].setdefault("responses", {})["Problem"] = response
    for path in result["paths"].values():
        for operation in path.values():
            for code, documented in operation["responses"].items():
                if documented.get("description") == "":
                    documented["description"] = phrases.get(code, "")
            operation["responses"]["default"] = {"$ref": "#/components/responses/Problem"}
    return result


def describe_one_body(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """Document one media type for each request body: JSON, or multipart if it has files.

    A postprocessing hook of drf-spectacular.
    Views accept all media types of `DEFAULT_PARSER_CLASSES`, but clients generated for several of them fail.
    https://github.com/openapi-generators/openapi-python-client/issues/1276
    """
    schemas = result["components"].get("schemas", {})
    for path in result["paths"].values():
        for operation in path.values():
            content = operation.get("requestBody", {}).get("content", {})
            schema = content.get("application/json", {}).get("schema", {})
            name = schema.get("$ref", "").rpartition("/")[2]
            has_files = "'format': 'binary'" in str(schemas.get(name, schema))
            kept = "multipart/form-data" if has_files else "application/json"
            if kept in content:
                operation["requestBody"]["content"] = {kept: content[kept]}
    return result


def library_classes() -> list[Any]:
    """Return the classes whose docstrings do not describe operations: those of the libraries, and our base classes."""
    libraries: Any = get_lib_doc_excludes
    return [*libraries(), ConditionalModelViewSet]
