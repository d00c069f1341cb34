"""What owners do in their first week works: idioms of DRF and Django, and settings that they change.

`first_week/` is an app `shop` of an owner's, with its resources in version 1 of the API, and the tests of both.
"""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from baking import Bake, BakedProject, free_port, http_get, new_database, running

FOLDER = Path(__file__).parent / "first_week"
SECRET: dict[str, str] = {"SECRET_KEY": "k" * 50}

RESOURCES = """
router.register("customers", shop.CustomerViewSet)
router.register("orders", shop.OrderViewSet)
router.register("detailed-orders", shop.DetailedOrderViewSet, "detailed-order")
router.register("own-orders", shop.OwnOrderViewSet, "own-order")
router.register("mine-orders", shop.MineOrderViewSet, "mine-order")
router.register("numbered", shop.NumberedViewSet, "numbered")
router.register("offset", shop.OffsetViewSet, "offset")
router.register("cursor", shop.CursorViewSet, "cursor")
router.register("unpaged", shop.UnpagedViewSet, "unpaged")
router.register("buggy", shop.BuggyViewSet, "buggy")
router.register("vouchers", shop.VoucherViewSet)
router.register("shop-books", shop.ShopBookViewSet, "shop-book")
router.register("computed-books", shop.ComputedBookViewSet, "computed-book")
router.register("shop/plain-set", shop.PlainViewSet, "plain-set")
"""
PATHS = """
    path("shop/plain/", shop.PlainView.as_view()),
    path("shop/function/", shop.function),
    path("shop/public/", shop.public),
    path("shop/no-queryset/", shop.NoQueryset.as_view()),
    path("shop/export/", shop.Export.as_view()),
"""
VERSION_2 = '''"""Version 2 of the API."""

from rest_framework.routers import SimpleRouter

from apis.v1.books import BookViewSet

router = SimpleRouter(use_regex_path=False)
router.register("books", BookViewSet)

urlpatterns = router.urls
'''


def add_shop(project: BakedProject) -> None:
    """Add the app to the project as an owner does: a folder, a module of resources, and lines in three files."""
    app = project.path / "shop"
    (app / "tests").mkdir(parents=True)
    (app / "__init__.py").touch()
    for name in ("models", "admin"):
        shutil.copy(FOLDER / f"{name}.py", app)
    for name in ("drf_idioms", "django_idioms"):
        shutil.copy(FOLDER / f"{name}.py", app / "tests" / f"test_{name}.py")
    shutil.copy(FOLDER / "resources.py", project.path / "apis" / "v1" / "shop.py")
    project.edit("django_project/settings.py", '    "apis",\n]', '    "apis",\n    "shop",\n]')
    urls = "apis/v1/urls.py"
    project.edit(urls, "import BookViewSet\n", "import BookViewSet\nfrom apis.v1 import shop\n")
    line = 'router.register("books", BookViewSet)\n'
    project.edit(urls, line, line + RESOURCES.lstrip())
    project.edit(urls, "    *router.urls,\n", PATHS.lstrip("\n") + "    *router.urls,\n")


def add_second_version(project: BakedProject) -> None:
    """Add version 2 of the API as a folder beside the first one."""
    (project.path / "apis" / "v2").mkdir()
    (project.path / "apis" / "v2" / "__init__.py").touch()
    (project.path / "apis" / "v2" / "urls.py").write_text(VERSION_2, encoding="utf-8")
    line = '    path("v1/", include(("apis.v1.urls", "v1"))),\n'
    project.edit("apis/urls.py", line, line + line.replace("v1", "v2"))


def add_field_to_user(project: BakedProject) -> None:
    """Add a field to the user and its admin, in the words of Django's documentation."""
    with (project.path / "accounts" / "models.py").open("a", encoding="utf-8") as file:
        file.write("\n    nickname = models.CharField(max_length=50, blank=True)\n")
    imports = "from django.contrib.auth.models import AbstractUser\n"
    project.edit("accounts/models.py", imports, f"{imports}from django.db import models\n")
    with (project.path / "accounts" / "admin.py").open("a", encoding="utf-8") as file:
        file.write('\n    fieldsets = UserAdmin.fieldsets + ((None, {"fields": ("nickname",)}),)\n')
