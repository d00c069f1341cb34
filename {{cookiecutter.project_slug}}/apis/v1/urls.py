"""Version 1 of the API: one line for each resource."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from apis.v1.books import BookViewSet
from apis.views import TokenView, UserView

router = SimpleRouter(use_regex_path=False)
router.register("books", BookViewSet)

urlpatterns = [
    path("auth/token/", TokenView.as_view(), name="auth-token"),
    path("auth/user/", UserView.as_view(), name="auth-user"),
    *router.urls,
]
