"""Throttling. The settings have rates for the scopes contacts, uploads and burst."""

from django.core.cache import caches
from django.urls import path
from guide.models import Customer
from guide.support import CustomerSerializer, as_view, client_of, customer
from rest_framework import throttling, viewsets
from rest_framework.decorators import action, api_view, throttle_classes, throttle_scope
from rest_framework.permissions import AllowAny
from rest_framework.response import Response
from rest_framework.views import APIView


class Twice(throttling.UserRateThrottle):
    rate = "2/day"


class TwiceAnonymous(throttling.AnonRateThrottle):
    rate = "2/day"


class Burst(throttling.UserRateThrottle):
    """Its rate is in the settings."""

    scope = "burst"


class View(APIView):
    permission_classes = [AllowAny]

    def get(self, request, format=None):
        return Response({"status": "permitted"})


def statuses(client, url="/api/v1/view/", times=3):
    return [client.get(url).status_code for _ in range(times)]


def test_rate_of_a_user_throttle(mount, ann, bob):
    mount(path("view/", as_view(View, throttle_classes=[Twice])))
    assert statuses(client_of(ann)) == [200, 200, 429]
    assert statuses(client_of(bob)) == [200, 200, 429]


def test_throttled_response_says_when_to_try_again(mount, api):
    mount(path("view/", as_view(View, throttle_classes=[Twice])))
    assert statuses(api)[-1] == 429
    assert 0 < int(api.get("/api/v1/view/")["Retry-After"]) <= 24 * 60 * 60


def test_user_throttle_counts_others_by_address(mount, anonymous):
    mount(path("view/", as_view(View, throttle_classes=[Twice])))
    assert statuses(anonymous) == [200, 200, 429]
    assert anonymous.get("/api/v1/view/", REMOTE_ADDR="192.0.2.7").status_code == 200


def test_anonymous_throttle_does_not_count_users(mount, anonymous, api):
    mount(path("view/", as_view(View, throttle_classes=[TwiceAnonymous])))
    assert statuses(anonymous) == [200, 200, 429]
    assert statuses(api) == [200, 200, 200]


def test_own_scope_has_its_rate_in_the_settings(mount, ann, bob):
    mount(path("view/", as_view(View, throttle_classes=[Burst])))
    assert statuses(client_of(ann)) == [200, 200, 429]
    assert statuses(client_of(bob), times=1) == [200]


def test_several_throttles_of_a_view(mount, api):
    class Sustained(throttling.UserRateThrottle):
        scope = "sustained"
        rate = "1/hour"

    mount(path("view/", as_view(View, throttle_classes=[Burst, Sustained])))
    assert statuses(api) == [200, 429, 429]


def test_scoped_throttle_counts_the_views_of_a_scope_together(mount, api):
    scoped = {"throttle_classes": [throttling.ScopedRateThrottle]}
    mount(
        path("list/", as_view(View, throttle_scope="contacts", **scoped)),
        path("detail/", as_view(View, throttle_scope="contacts", **scoped)),
        path("upload/", as_view(View, throttle_scope="uploads", **scoped)),
        path("free/", as_view(View, **scoped)),
    )
    assert api.get("/api/v1/list/").status_code == 200
    assert api.get("/api/v1/detail/").status_code == 200
    assert api.get("/api/v1/list/").status_code == api.get("/api/v1/detail/").status_code == 429
    assert statuses(api, "/api/v1/upload/", 2) == [200, 429]
    assert statuses(api, "/api/v1/free/") == [200, 200, 200]


def test_function_views_have_throttles_and_scopes(mount, api):
    @api_view(["GET"])
    @throttle_classes([Twice])
    def twice(request):
        return Response({})

    @api_view(["GET"])
    @throttle_classes([throttling.ScopedRateThrottle])
    @throttle_scope("uploads")
    def once(request):
        return Response({})

    mount(path("twice/", twice), path("once/", once))
    assert statuses(api, "/api/v1/twice/") == [200, 200, 429]
    assert statuses(api, "/api/v1/once/", 2) == [200, 429]


def test_action_has_throttles_of_its_own(mount, api):
    class Customers(viewsets.ModelViewSet):
        queryset = Customer.objects.all()
        serializer_class = CustomerSerializer

        @action(detail=True, methods=["get"], throttle_classes=[Twice])
        def card(self, request, pk=None):
            return Response({"name": self.get_object().name})

    mount(customers=Customers)
    url = f"/api/v1/customers/{customer().pk}/"
    assert statuses(api, f"{url}card/") == [200, 200, 429]
    assert statuses(api, url) == [200, 200, 200]


def test_custom_throttle(mount, api):
    class Heavy(throttling.BaseThrottle):
        def allow_request(self, request, view):
            return "heavy" not in request.query_params

        def wait(self):
            return 30

    mount(path("view/", as_view(View, throttle_classes=[Heavy])))
    assert api.get("/api/v1/view/").status_code == 200
    response = api.get("/api/v1/view/?heavy=1")
    assert (response.status_code, response["Retry-After"]) == (429, "30")


def test_custom_throttle_without_a_time_to_wait(mount, api):
    class Closed(throttling.BaseThrottle):
        def allow_request(self, request, view):
            return False

    mount(path("view/", as_view(View, throttle_classes=[Closed])))
    response = api.get("/api/v1/view/")
    assert response.status_code == 429
    assert "Retry-After" not in response


def test_throttle_has_a_key_and_a_cache_of_its_own(mount, api):
    class PerTenant(throttling.SimpleRateThrottle):
        scope = "tenant"
        rate = "1/min"
        cache = caches["default"]

        def get_cache_key(self, request, view):
            tenant = request.headers.get("X-Tenant")
            return tenant and self.cache_format % {"scope": self.scope, "ident": tenant}

    mount(path("view/", as_view(View, throttle_classes=[PerTenant])))
    found = [api.get("/api/v1/view/", headers={"X-Tenant": name}).status_code for name in "aba"]
    assert found == [200, 200, 429]
    assert statuses(api) == [200, 200, 200]


def test_get_throttles_depends_on_the_method(mount, api):
    class WriteLimited(View):
        def get_throttles(self):
            return [Twice()] if self.request.method == "POST" else []

        def post(self, request):
            return Response({})

    mount(path("view/", WriteLimited.as_view()))
    assert [api.post("/api/v1/view/").status_code for _ in range(3)] == [200, 200, 429]
    assert statuses(api) == [200, 200, 200]


def test_view_without_throttles(mount, api):
    mount(path("view/", as_view(View, throttle_classes=[])))
    assert set(statuses(api, times=5)) == {200}
