"""URLs for logging in and out, by Django's own views.

https://docs.djangoproject.com/en/5.2/topics/auth/default/#using-the-views
"""

from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path

urlpatterns = [
    path("login/", LoginView.as_view(template_name="accounts/login.html"), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
]
