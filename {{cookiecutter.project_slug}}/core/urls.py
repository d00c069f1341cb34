"""The home page of a project that has no page of its own yet: its name, and links to what there is."""

from django.urls import path
from django.views.generic import TemplateView

urlpatterns = [path("", TemplateView.as_view(template_name="home.html"), name="home")]
