"""The app of the API."""

from django.apps import AppConfig
from django.core import checks


class APIsConfig(AppConfig):
    name = "apis"

    def ready(self) -> None:
        from apis.checks import check_viewsets  # noqa: PLC0415  # models are not loaded before

        checks.register(check_viewsets)
