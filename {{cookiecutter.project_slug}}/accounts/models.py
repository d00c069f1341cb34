"""The user of this project. Django recommends an own model from the first day, because a later change is costly.

https://docs.djangoproject.com/en/5.2/topics/auth/customizing/#using-a-custom-user-model-when-starting-a-project
"""

from django.contrib.auth.models import AbstractUser


class User(AbstractUser):
    """Django's user. Add fields here, and to `AccountAdmin` in admin.py, then run `makemigrations`."""
