"""Bodies of requests: JSON, forms and files, and what is refused."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import path
from rest_framework.permissions import AllowAny
from rest_framework.response import Response
from rest_framework.views import APIView

pytestmark = pytest.mark.django_db

ECHO = "/api/v1/echo/"


class Echo(APIView):
    permission_classes = (AllowAny,)

    def post(self, request: Any) -> Response:
        return Response({"data": request.data, "read": [file.read().decode() for file in request.FILES.values()]})


@pytest.fixture(autouse=True)
def _urls(mount: Any) -> None:
    mount(path("echo/", Echo.as_view()))


@pytest.mark.parametrize("data", [{"a": [1, None, "ü"]}, [1], "text", 1.5, {}, True])
def test_json_is_read(anon, data):
    body = anon("POST", ECHO, data if isinstance(data, dict | list) else f'"{data}"', status=200)
    assert body["data"] == (data if isinstance(data, dict | list) else str(data))


def test_nested_json_is_read(anon):
    body = "[" * 100 + "]" * 100
    anon("POST", ECHO, body, status=200)


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_json_nested_too_deeply_is_a_bad_request(anon, opening):
    problem = anon("POST", ECHO, opening * 100_000, status=400)
    assert problem["code"] == "parse_error"


@pytest.mark.parametrize("body", ["{", '{"a": 1', "nonsense", '{"a": NaN}', "Infinity", b'{"a": "\xff"}', b"\xff\xfe"])
def test_malformed_json_is_a_bad_request(anon, body):
    assert anon("POST", ECHO, body, status=400)["code"] == "parse_error"


@pytest.mark.parametrize("charset", ["utf-8", "UTF-8", "utf8"])
def test_json_in_utf_8_is_read(anon, charset):
    body = anon("POST", ECHO, '{"a": "ü"}', status=200, content_type=f"application/json; charset={charset}")
    assert body["data"] == {"a": "ü"}


@pytest.mark.parametrize("charset", ["rot13", "latin-1", "utf-16", "no-such-charset"])
def test_another_encoding_is_refused(anon, charset):
    problem = anon("POST", ECHO, "{}", status=415, content_type=f"application/json; charset={charset}")
    assert problem["code"] == "unsupported_media_type"


def test_another_content_type_is_refused(anon):
    assert anon("POST", ECHO, "a,b", status=415, content_type="text/csv")["code"] == "unsupported_media_type"


def test_forms_and_files_are_read():
    form = Client().post(ECHO, {"a": "1"}).json()
    assert form["data"] == {"a": "1"}
    file = SimpleUploadedFile("a.txt", b"content")
    upload = Client().post(ECHO, {"file": file})
    assert upload.status_code == 200
    assert upload.json()["read"] == ["content"]


def test_a_body_above_the_limit_is_refused(anon, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000
    anon("POST", ECHO, {"a": "x" * 900}, status=200)
    assert anon("POST", ECHO, {"a": "x" * 1_000}, status=413)["code"] == "too_large"


def test_an_upload_above_the_limit_is_refused(settings):
    settings.MAX_UPLOAD_SIZE = 10_000
    for size, status in ((9_000, 200), (10_000, 413)):
        response = Client().post(ECHO, {"file": SimpleUploadedFile("a.txt", b"x" * size)})
        assert response.status_code == status
    assert response.json()["code"] == "too_large"


def test_an_upload_may_be_larger_than_other_bodies(settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000
    response = Client().post(ECHO, {"file": SimpleUploadedFile("a.txt", b"x" * 2_000)})
    assert response.status_code == 200
