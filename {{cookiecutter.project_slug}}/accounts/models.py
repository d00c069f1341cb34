"""The user of this project. Django recommends an own model from the first day: a later change is costly.

https://docs.djangoproject.com/en/5.2/topics/auth/customizing/#using-a-custom-user-model-when-starting-a-project
"""

from django.contrib.auth.models import AbstractUser


class User(AbstractUser):
    """Django's user, with room for fields of our own."""

    def set_unusable_password(self) -> None:
        """Also tell the validators of passwords when the user is saved, as Django does of a new password."""
        super().set_unusable_password()
        self._password = ""
