"""Views, requests, responses and metadata: APIView, @api_view and what surrounds a handler."""

from django.http import HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path
from guide.models import Customer
from guide.support import CustomerSerializer, client_of, customer
from rest_framework import status
from rest_framework.decorators import api_view, metadata_class, parser_classes, permission_classes, renderer_classes
from rest_framework.metadata import BaseMetadata
from rest_framework.parsers import FormParser
from rest_framework.permissions import AllowAny
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.views import APIView


class Echo(APIView):
    """A view that is no view of a model."""

    def get(self, request, format=None):
        return Response({"parameters": request.query_params, "user": request.user.username})

    def post(self, request, format=None):
        return Response({"received": request.data}, status=status.HTTP_201_CREATED)

    def put(self, request, format=None):
        return Response({"received": request.data})


def test_api_view_allows_get_alone_by_default(mount, api):
    @api_view()
    def hello(request):
        return Response({"message": "Hello"})

    mount(path("hello/", hello))
    assert api.get("/api/v1/hello/").json() == {"message": "Hello"}
    assert api.post("/api/v1/hello/").status_code == 405


def test_api_view_with_methods_reads_the_data_of_a_request(mount, reader):
    @api_view(["GET", "POST"])
    def hello(request):
        return Response({"data": request.data} if request.method == "POST" else {"message": "Hello"})

    mount(path("hello/", hello))
    client = client_of(reader)
    assert client.get("/api/v1/hello/").status_code == 200
    assert client.post("/api/v1/hello/", {"a": [1, {"b": None}]}, format="json").json() == {
        "data": {"a": [1, {"b": None}]}
    }


def test_api_view_class_needs_no_model_and_no_model_permission(mount, reader):
    mount(path("echo/", Echo.as_view()))
    client = client_of(reader)
    assert client.get("/api/v1/echo/").json()["user"] == "reader"
    response = client.post("/api/v1/echo/", {"a": 1}, format="json")
    assert (response.status_code, response.json()) == (201, {"received": {"a": 1}})
    assert client.put("/api/v1/echo/", {"a": 2}, format="json").json() == {"received": {"a": 2}}


def test_method_without_a_handler_is_not_allowed(mount, api):
    mount(path("echo/", Echo.as_view()))
    response = api.delete("/api/v1/echo/")
    assert response.status_code == 405
    assert "GET" in response["Allow"]
    assert "DELETE" not in response["Allow"]


def test_view_with_default_permissions_refuses_a_request_without_credentials(mount, anonymous):
    mount(path("echo/", Echo.as_view()))
    assert anonymous.get("/api/v1/echo/").status_code in {401, 403}


def test_view_reads_any_query_parameter_of_its_own(mount, api):
    mount(path("echo/", Echo.as_view()))
    assert api.get("/api/v1/echo/", {"a": "1", "b": "x y"}).json()["parameters"] == {"a": "1", "b": "x y"}


def test_function_view_has_its_policy_from_decorators(mount, anonymous):
    @api_view(["POST"])
    @permission_classes([AllowAny])
    @parser_classes([FormParser])
    @renderer_classes([JSONRenderer])
    def open_to_all(request):
        return Response({"user": str(request.user), "name": request.data["name"]})

    mount(path("open/", open_to_all))
    response = anonymous.post("/api/v1/open/", "name=x", content_type="application/x-www-form-urlencoded")
    assert response.json() == {"user": "AnonymousUser", "name": "x"}
    assert anonymous.post("/api/v1/open/", {"name": "x"}, format="json").status_code == 415


def test_response_has_the_status_and_headers_of_the_view(mount, api):
    class Accepted(APIView):
        def post(self, request):
            response = Response({}, status=status.HTTP_202_ACCEPTED, headers={"X-Job": "7"})
            response["Cache-Control"] = "no-cache"
            return response

    mount(path("jobs/", Accepted.as_view()))
    response = api.post("/api/v1/jobs/")
    assert (response.status_code, response["X-Job"], response["Cache-Control"]) == (202, "7", "no-cache")


def test_view_returns_responses_of_django(mount, api):
    class Plain(APIView):
        def get(self, request, kind):
            if kind == "text":
                return HttpResponse("text", content_type="text/plain")
            if kind == "missing":
                return HttpResponse("nothing here", status=404, content_type="text/plain")
            return JsonResponse({"a": 1})

    mount(path("plain/<kind>/", Plain.as_view()))
    assert api.get("/api/v1/plain/text/").content == b"text"
    assert api.get("/api/v1/plain/json/").json() == {"a": 1}
    assert api.get("/api/v1/plain/missing/").status_code == 404


def test_view_returns_a_stream(mount, api):
    class Export(APIView):
        def get(self, request):
            rows = (f"{row.name}\n" for row in Customer.objects.all().iterator())
            return StreamingHttpResponse(rows, content_type="text/csv")

    customer("Ada")
    customer("Bo")
    mount(path("export/", Export.as_view()))
    response = api.get("/api/v1/export/")
    assert b"".join(response.streaming_content) == b"Ada\nBo\n"


def test_handle_exception_of_the_view_decides_about_errors(mount, api):
    class Tolerant(APIView):
        def handle_exception(self, exc):
            if isinstance(exc, LookupError):
                return Response({"found": False}, status=status.HTTP_410_GONE)
            return super().handle_exception(exc)

        def get(self, request):
            return Response({}[request.query_params["key"]])

    mount(path("tolerant/", Tolerant.as_view()))
    assert api.get("/api/v1/tolerant/?key=a").status_code == 410
    assert api.put("/api/v1/tolerant/").status_code == 405


def test_initial_of_the_view_runs_before_the_handler(mount, api):
    class Tenant(APIView):
        def initial(self, request, *args, **kwargs):
            super().initial(request, *args, **kwargs)
            self.tenant = request.headers.get("X-Tenant", "none")

        def get(self, request):
            return Response({"tenant": self.tenant})

    mount(path("tenant/", Tenant.as_view()))
    assert api.get("/api/v1/tenant/", headers={"X-Tenant": "north"}).json() == {"tenant": "north"}


def test_finalize_response_of_the_view_adds_a_header(mount, api):
    class Marked(Echo):
        def finalize_response(self, request, response, *args, **kwargs):
            response = super().finalize_response(request, response, *args, **kwargs)
            response["X-Marked"] = "yes"
            return response

    mount(path("marked/", Marked.as_view()))
    assert api.get("/api/v1/marked/")["X-Marked"] == "yes"
    assert api.delete("/api/v1/marked/")["X-Marked"] == "yes"


def test_options_describes_the_view(mount, api):
    mount(path("echo/", Echo.as_view()))
    response = api.options("/api/v1/echo/")
    assert response.status_code == 200
    assert response.json()["name"] == "Echo"
    assert response.json()["description"] == "A view that is no view of a model."
    assert "application/json" in response.json()["parses"]


def test_options_has_the_metadata_class_of_the_view(mount, api):
    class MinimalMetadata(BaseMetadata):
        def determine_metadata(self, request, view):
            return {"title": view.get_view_name()}

    @api_view(["GET"])
    @metadata_class(MinimalMetadata)
    def titled(request):
        return Response({})

    mount(path("titled/", titled))
    assert api.options("/api/v1/titled/").json() == {"title": "Titled"}


def test_head_is_answered_by_the_handler_of_get(mount, api):
    mount(path("echo/", Echo.as_view()))
    response = api.head("/api/v1/echo/")
    assert (response.status_code, response.content) == (200, b"")


def test_serializer_in_a_plain_view_validates_and_saves(mount, reader):
    class Customers(APIView):
        def get(self, request):
            return Response(CustomerSerializer(Customer.objects.all(), many=True).data)

        def post(self, request):
            serializer = CustomerSerializer(data=request.data)
            serializer.is_valid(raise_exception=True)
            serializer.save()
            return Response(serializer.data, status=status.HTTP_201_CREATED)

    mount(path("customers/", Customers.as_view()))
    client = client_of(reader)
    assert client.post("/api/v1/customers/", {"name": "Ada", "email": "ada@example.com"}).status_code == 201
    assert client.post("/api/v1/customers/", {"name": "Ada", "email": "none"}).status_code == 400
    assert [row["name"] for row in client.get("/api/v1/customers/").json()] == ["Ada"]


def test_errors_that_the_view_returns_itself_stay_as_they_are(mount, api):
    @api_view(["POST"])
    def create(request):
        serializer = CustomerSerializer(data=request.data)
        if serializer.is_valid():
            return Response(serializer.data)
        return Response(serializer.errors, status=status.HTTP_400_BAD_REQUEST)

    mount(path("customers/", create))
    response = api.post("/api/v1/customers/", {"name": "Ada"})
    assert response.status_code == 400
    assert list(response.json()) == ["email"]
