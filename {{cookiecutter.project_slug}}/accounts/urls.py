"""Pages to log in and out, to change a password, and to reset a forgotten one by mail: Django's own views.

https://docs.djangoproject.com/en/5.2/topics/auth/default/#using-the-views
"""

from django.conf import settings
from django.contrib.auth import views
from django.urls import path

from accounts.login_limits import LimitedPasswordResetView

# Not one of the names that Django documents, such as registration/password_change_form.html: the admin uses those.
PAGE = "accounts/page.html"

reset_password = LimitedPasswordResetView.as_view(
    template_name=PAGE,
    subject_template_name="accounts/password_reset_subject.txt",
    email_template_name="accounts/password_reset_email.txt",
    extra_email_context={"project": settings.PROJECT},
    extra_context={
        "text": "Enter your e-mail address, and we send you a link to choose a new password.",
        "button": "Send the link",
    },
)

urlpatterns = [
    path("login/", views.LoginView.as_view(template_name="accounts/login.html"), name="login"),
    path("logout/", views.LogoutView.as_view(), name="logout"),
    path(
        "password_change/",
        views.PasswordChangeView.as_view(template_name=PAGE, extra_context={"button": "Change the password"}),
        name="password_change",
    ),
    path(
        "password_change/done/",
        views.PasswordChangeDoneView.as_view(
            template_name=PAGE,
            extra_context={"text": "Your password has been changed. You are logged out everywhere else."},
        ),
        name="password_change_done",
    ),
    path("password_reset/", reset_password, name="password_reset"),
    # The admin's login page links to this name.
    path("password_reset/", reset_password, name="admin_password_reset"),
    path(
        "password_reset/done/",
        views.PasswordResetDoneView.as_view(
            template_name=PAGE,
            extra_context={
                "text": "If there is an account with this e-mail address, the link is on its way. If nothing arrives, "
                "look into your spam folder, and check that this is the address of your account."
            },
        ),
        name="password_reset_done",
    ),
    path(
        "reset/<uidb64>/<token>/",
        views.PasswordResetConfirmView.as_view(template_name=PAGE, extra_context={"button": "Change the password"}),
        name="password_reset_confirm",
    ),
    path(
        "reset/done/",
        views.PasswordResetCompleteView.as_view(
            template_name=PAGE, extra_context={"text": "Your password has been changed. You can log in with it now."}
        ),
        name="password_reset_complete",
    ),
]
