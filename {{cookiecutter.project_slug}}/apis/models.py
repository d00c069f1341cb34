"""Tokens, by which programs authenticate. A database that leaks does not give them away: it only has their digests."""

import hashlib
import secrets
from datetime import timedelta

from django.conf import settings
from django.db import models
from django.utils import timezone


class Token(models.Model):
    """A credential of a user. It has 256 random bits, so that a plain digest, without salt, cannot be guessed."""

    digest = models.CharField(max_length=64, primary_key=True, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="tokens")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()

    class Meta:
        ordering = ("-created_at", "digest")

    def __str__(self) -> str:
        return f"{self.user}, until {self.expires_at:%Y-%m-%d}"

    @staticmethod
    def digest_of(key: str) -> str:
        """What is stored of a key: the 64 hexadecimal digits of its SHA-256."""
        return hashlib.sha256(key.encode()).hexdigest()

    @classmethod
    def issue(cls, user: models.Model) -> tuple[str, "Token"]:
        """A new key, which nobody can read again later, and its row. The user's expired tokens go."""
        now = timezone.now()
        cls.objects.filter(user=user, expires_at__lte=now).delete()
        key = secrets.token_urlsafe(32)
        expires_at = now + timedelta(seconds=settings.TOKEN_LIFETIME)
        return key, cls.objects.create(digest=cls.digest_of(key), user=user, expires_at=expires_at)
