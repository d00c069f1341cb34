"""Tokens, with which programs authenticate. The database stores only digests, so a leak does not reveal a token."""

import hashlib
import hmac
import secrets
from datetime import timedelta

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models, transaction
from django.utils import timezone


class Token(models.Model):
    """A credential of a user. Its 256 random bits cannot be guessed, so the digest needs no salt."""

    digest = models.CharField(max_length=64, primary_key=True, editable=False)
    # As in a session: a new password changes the hash. https://docs.djangoproject.com/en/5.2/topics/auth/default/
    auth_hash = models.CharField(max_length=128, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="tokens")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()

    class Meta:
        ordering = ("-created_at", "digest")

    def __str__(self) -> str:
        return f"{self.user}, until {self.expires_at:%Y-%m-%d}"

    @staticmethod
    def digest_of(key: str) -> str:
        """Return what the database stores for a key: the 64 hexadecimal digits of its SHA-256."""
        return hashlib.sha256(key.encode()).hexdigest()

    @classmethod
    def issue(cls, user: AbstractBaseUser) -> tuple[str, "Token"]:
        """Create a token, and return its key, which cannot be read again later, and its row.

        Deletes the user's expired tokens, and the oldest ones above MAX_TOKENS_PER_USER.
        """
        now, key = timezone.now(), secrets.token_urlsafe(32)
        with transaction.atomic():
            # The lock keeps two simultaneous logins from exceeding the maximum together.
            get_user_model()._default_manager.select_for_update().get(pk=user.pk)
            own = cls.objects.filter(user=user)
            own.filter(expires_at__lte=now).delete()
            kept = list(own.values_list("pk", flat=True)[: settings.MAX_TOKENS_PER_USER - 1])
            own.exclude(pk__in=kept).delete()
            token = cls.objects.create(
                digest=cls.digest_of(key),
                auth_hash=user.get_session_auth_hash(),
                user=user,
                expires_at=now + timedelta(seconds=settings.TOKEN_LIFETIME),
            )
        return key, token

    def is_current(self) -> bool:
        """Whether the user's password is the same as when the token was issued."""
        hashes = [self.user.get_session_auth_hash(), *self.user.get_session_auth_fallback_hash()]
        return any(hmac.compare_digest(self.auth_hash, current) for current in hashes)
