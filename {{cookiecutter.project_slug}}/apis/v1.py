"""Version 1 of the API: the address of each resource. A version 2 would be a second file like this one."""

from rest_framework.routers import SimpleRouter

from apis.views import BookViewSet

router = SimpleRouter(use_regex_path=False)
router.register("books", BookViewSet)

urlpatterns = router.urls
