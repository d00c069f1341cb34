"""Parsers, renderers and content negotiation."""

import json
from pathlib import Path

from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import path, re_path
from guide.models import Customer, Document
from guide.support import CustomerSerializer, DocumentSerializer, customer, refused
from rest_framework import generics, renderers
from rest_framework.decorators import api_view, parser_classes, renderer_classes
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser, FileUploadParser, FormParser, JSONParser, MultiPartParser
from rest_framework.renderers import BrowsableAPIRenderer, JSONRenderer, StaticHTMLRenderer, TemplateHTMLRenderer
from rest_framework.response import Response
from rest_framework.views import APIView

FORM = "application/x-www-form-urlencoded"


class PlainTextParser(BaseParser):
    media_type = "text/plain"

    def parse(self, stream, media_type=None, parser_context=None):
        return stream.read().decode()


class PlainTextRenderer(renderers.BaseRenderer):
    media_type = "text/plain"
    format = "txt"

    def render(self, data, accepted_media_type=None, renderer_context=None):
        return str(data)


class Echo(APIView):
    def get(self, request, format=None):
        return Response({"accepted": request.accepted_media_type})

    def post(self, request, format=None):
        return Response({"data": request.data, "type": request.content_type})


class Customers(generics.ListCreateAPIView):
    queryset = Customer.objects.all()
    serializer_class = CustomerSerializer


class CustomerDetail(generics.RetrieveUpdateDestroyAPIView):
    queryset = Customer.objects.all()
    serializer_class = CustomerSerializer


class IgnoreClient(BaseContentNegotiation):
    def select_parser(self, request, parsers):
        return parsers[0]

    def select_renderer(self, request, renderers, format_suffix=None):
        return renderers[0], renderers[0].media_type


def test_json_form_and_multipart_bodies_are_read_by_default(mount, api):
    mount(path("customers/", Customers.as_view()))
    bodies = [
        ({"name": "Ada", "email": "a@example.com"}, {"format": "json"}),
        ("name=Bo&email=b%40example.com", {"content_type": FORM}),
        ({"name": "Cy", "email": "c@example.com"}, {"format": "multipart"}),
    ]
    for body, options in bodies:
        response = api.post("/api/v1/customers/", body, **options)
        assert response.status_code == 201, response.content


def test_form_encoded_body_changes_a_row(mount, api):
    mount(path("customers/<int:pk>/", CustomerDetail.as_view()))
    response = api.patch(f"/api/v1/customers/{customer().pk}/", "name=Bo", content_type=FORM)
    assert response.json()["name"] == "Bo"


def test_json_of_any_kind_is_read(mount, api):
    mount(path("echo/", Echo.as_view()))
    for data in ({"a": {"b": [1, None, True]}}, [1, "ä", {}], "text", 7, None):
        assert api.post("/api/v1/echo/", json.dumps(data), content_type="application/json").json()["data"] == data


def test_malformed_json_is_a_bad_request(mount, api):
    mount(path("echo/", Echo.as_view()))
    assert api.post("/api/v1/echo/", '{"a": ', content_type="application/json").status_code == 400


def test_body_without_a_parser_is_unsupported(mount, api):
    class OnlyJSON(Echo):
        parser_classes = [JSONParser]

    mount(path("echo/", OnlyJSON.as_view()), path("default/", Echo.as_view()))
    assert api.post("/api/v1/echo/", "a=1", content_type=FORM).status_code == 415
    assert api.post("/api/v1/default/", "<a/>", content_type="application/xml").status_code == 415
    assert api.post("/api/v1/echo/", {"a": 1}, format="json").status_code == 200


def test_function_view_has_parsers_of_its_own(mount, api):
    @api_view(["POST"])
    @parser_classes([FormParser])
    def form(request):
        return Response({"names": request.data.getlist("name")})

    mount(path("form/", form))
    assert api.post("/api/v1/form/", "name=a&name=b", content_type=FORM).json() == {"names": ["a", "b"]}


def test_multipart_body_uploads_a_file(mount, api):
    class Documents(generics.ListCreateAPIView):
        queryset = Document.objects.all()
        serializer_class = DocumentSerializer
        parser_classes = [MultiPartParser]

    mount(path("documents/", Documents.as_view()))
    file = SimpleUploadedFile("plan.txt", b"the plan", content_type="text/plain")
    response = api.post("/api/v1/documents/", {"title": "Plan", "file": file}, format="multipart")
    assert response.status_code == 201, response.content
    assert Path(Document.objects.get().file.path).read_bytes() == b"the plan"
    assert response.json()["file"].startswith("http://testserver/")
    assert refused(api.post("/api/v1/documents/", {"title": "None"}, format="multipart"), "file")


def test_file_upload_parser_reads_the_body_as_a_file(mount, api):
    class Upload(APIView):
        parser_classes = [FileUploadParser]

        def put(self, request, filename, format=None):
            file = request.data["file"]
            Document.objects.create(title=file.name, file=file)
            return Response(status=204)

    mount(re_path(r"^upload/(?P<filename>[^/]+)$", Upload.as_view()))
    assert api.put("/api/v1/upload/a.bin", b"\x00\xff", content_type="image/png").status_code == 204
    assert Document.objects.get().title == "a.bin"
    assert Path(Document.objects.get().file.path).read_bytes() == b"\x00\xff"


def test_file_upload_parser_takes_the_name_from_a_header(mount, api):
    class Upload(APIView):
        parser_classes = [FileUploadParser]

        def post(self, request):
            return Response({"name": request.data["file"].name, "size": request.data["file"].size})

    mount(path("upload/", Upload.as_view()))
    header = {"Content-Disposition": "attachment; filename=b.bin"}
    response = api.post("/api/v1/upload/", b"1234", content_type="application/octet-stream", headers=header)
    assert response.json() == {"name": "b.bin", "size": 4}
    assert api.post("/api/v1/upload/", b"1234", content_type="application/octet-stream").status_code == 400


def test_custom_parser_reads_plain_text(mount, api):
    class Text(Echo):
        parser_classes = [PlainTextParser]

    mount(path("text/", Text.as_view()))
    assert api.post("/api/v1/text/", "some text", content_type="text/plain").json()["data"] == "some text"


def test_media_type_is_chosen_by_the_accept_header(mount, api):
    class TwoTypes(Echo):
        renderer_classes = [JSONRenderer, PlainTextRenderer]

    mount(path("two/", TwoTypes.as_view()))
    assert api.get("/api/v1/two/", headers={"Accept": "text/plain"})["Content-Type"] == "text/plain; charset=utf-8"
    assert api.get("/api/v1/two/", headers={"Accept": "*/*"})["Content-Type"] == "application/json"
    assert api.get("/api/v1/two/", headers={"Accept": "image/png"}).status_code == 406


def test_json_is_indented_on_request(mount, api):
    mount(path("echo/", Echo.as_view()))
    response = api.get("/api/v1/echo/", headers={"Accept": "application/json; indent=4"})
    assert response.content == b'{\n    "accepted": "application/json; indent=4"\n}'


def test_view_of_json_alone_refuses_html(mount, api):
    @api_view(["GET"])
    @renderer_classes([JSONRenderer])
    def only_json(request):
        return Response({})

    mount(path("json/", only_json))
    assert api.get("/api/v1/json/", headers={"Accept": "text/html"}).status_code == 406
    assert api.get("/api/v1/json/", headers={"Accept": "text/html, */*"}).json() == {}


def test_browsable_api_is_html_with_forms(mount, api):
    mount(path("customers/", Customers.as_view()), path("customers/<int:pk>/", CustomerDetail.as_view()))
    key = customer("Ada Lovelace").pk
    for url in ("/api/v1/customers/", f"/api/v1/customers/{key}/"):
        response = api.get(url, headers={"Accept": "text/html"})
        assert response.status_code == 200
        assert response["Content-Type"].startswith("text/html")
        assert "Ada Lovelace" in response.content.decode()
        assert 'name="email"' in response.content.decode()


def test_custom_browsable_renderer_shows_json(mount, api):
    class Custom(BrowsableAPIRenderer):
        def get_default_renderer(self, view):
            return JSONRenderer()

    class View(Echo):
        renderer_classes = [Custom, PlainTextRenderer]

    mount(path("custom/", View.as_view()))
    response = api.get("/api/v1/custom/")
    assert response["Content-Type"].startswith("text/html")
    assert "accepted" in response.content.decode()


def test_custom_renderer_has_a_charset(mount, api):
    class Latin(PlainTextRenderer):
        charset = "iso-8859-1"

        def render(self, data, accepted_media_type=None, renderer_context=None):
            return data.encode(self.charset)

    @api_view(["GET"])
    @renderer_classes([Latin])
    def text(request):
        return Response("für")

    mount(path("text/", text))
    response = api.get("/api/v1/text/")
    assert (response.content, response["Content-Type"]) == (b"f\xfcr", "text/plain; charset=iso-8859-1")


def test_custom_renderer_returns_bytes(mount, api):
    class Image(renderers.BaseRenderer):
        media_type = "image/*"
        format = "png"
        charset = None
        render_style = "binary"

        def render(self, data, accepted_media_type=None, renderer_context=None):
            return data

    class Picture(APIView):
        renderer_classes = [Image]

        def get(self, request):
            return Response(b"\x89PNG", content_type="image/png")

    mount(path("picture/", Picture.as_view()))
    response = api.get("/api/v1/picture/")
    assert (response.content, response["Content-Type"]) == (b"\x89PNG", "image/png")


def test_list_is_rendered_by_a_custom_renderer(mount, api):
    class Lines(PlainTextRenderer):
        def render(self, data, accepted_media_type=None, renderer_context=None):
            return "".join(f"{row['name']}\n" for row in data["results"])

    class View(Customers):
        renderer_classes = [JSONRenderer, Lines]

    mount(path("customers/", View.as_view()))
    customer("Ada")
    customer("Bo")
    assert api.get("/api/v1/customers/", headers={"Accept": "text/plain"}).content == b"Ada\nBo\n"


def test_static_html_renderer_returns_the_text_of_the_view(mount, api):
    @api_view(["GET"])
    @renderer_classes([StaticHTMLRenderer])
    def page(request):
        return Response("<h1>Hello</h1>")

    mount(path("page/", page))
    response = api.get("/api/v1/page/")
    assert (response.content, response["Content-Type"]) == (b"<h1>Hello</h1>", "text/html; charset=utf-8")


class CustomerPage(generics.RetrieveAPIView):
    queryset = Customer.objects.all()
    renderer_classes = [TemplateHTMLRenderer]

    def get(self, request, *args, **kwargs):
        return Response({"customer": self.get_object()}, template_name="guide/customer.html")


def test_template_html_renderer_fills_a_template(mount, api):
    mount(path("customers/<int:pk>/", CustomerPage.as_view()))
    response = api.get(f"/api/v1/customers/{customer('A & B').pk}/")
    assert response.content.decode().strip() == "<h1>A &amp; B</h1>"
    assert response["Content-Type"] == "text/html; charset=utf-8"


def test_errors_of_a_template_html_view_are_html(mount, api):
    mount(path("customers/<int:pk>/", CustomerPage.as_view()))
    response = api.get("/api/v1/customers/99/")
    assert response.status_code == 404
    assert response["Content-Type"].startswith("text/html")


def test_view_varies_by_the_accepted_renderer(mount, api):
    class Page(generics.RetrieveAPIView):
        queryset = Customer.objects.all()
        renderer_classes = [TemplateHTMLRenderer, JSONRenderer]

        def get(self, request, *args, **kwargs):
            found = self.get_object()
            if request.accepted_renderer.format == "html":
                return Response({"customer": found}, template_name="guide/customer.html")
            return Response(CustomerSerializer(found).data)

    mount(path("customers/<int:pk>/", Page.as_view()))
    url = f"/api/v1/customers/{customer().pk}/"
    assert b"<h1>Ada</h1>" in api.get(url).content
    assert api.get(url, headers={"Accept": "application/json"}).json()["name"] == "Ada"


def test_vendor_media_type(mount, api):
    class Vendor(JSONRenderer):
        media_type = "application/vnd.example.orders+json"

    class View(Echo):
        renderer_classes = [Vendor]

    mount(path("vendor/", View.as_view()))
    response = api.get("/api/v1/vendor/", headers={"Accept": "application/vnd.example.orders+json"})
    assert response["Content-Type"] == "application/vnd.example.orders+json"


def test_content_negotiation_that_ignores_the_client(mount, api):
    class View(Echo):
        content_negotiation_class = IgnoreClient
        renderer_classes = [JSONRenderer, PlainTextRenderer]

    mount(path("ignore/", View.as_view()))
    assert api.get("/api/v1/ignore/", headers={"Accept": "image/png"}).json() == {"accepted": "application/json"}


def test_error_of_a_view_with_a_custom_renderer_has_its_status(mount, api):
    class View(generics.RetrieveAPIView):
        queryset = Customer.objects.all()
        serializer_class = CustomerSerializer
        renderer_classes = [PlainTextRenderer]

    mount(path("customers/<int:pk>/", View.as_view()))
    assert api.get("/api/v1/customers/99/").status_code == 404


def test_query_parameter_chooses_the_renderer(mount, api):
    class Customers(generics.ListAPIView):
        queryset = Customer.objects.all()
        serializer_class = CustomerSerializer

    mount(path("customers/", Customers.as_view()))
    page, rows = (api.get(f"/api/v1/customers/?format={name}") for name in ("api", "json"))
    assert page["Content-Type"].startswith("text/html")
    assert rows["Content-Type"] == "application/json"
    assert page.status_code == rows.status_code == 200
    assert api.get("/api/v1/customers/?format=nothing").status_code == 404
