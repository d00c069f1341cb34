"""Tokens in the admin: to see who has some, and to revoke them."""

from typing import Any

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db.models import QuerySet
from django.http import HttpRequest

from apis.models import Token


@admin.register(Token)
class TokenAdmin(admin.ModelAdmin):
    """Tokens can be deleted, not added or changed: only the API's login shows a new one."""

    list_display = ("user", "created_at", "expires_at")
    list_select_related = ("user",)
    list_filter = ("created_at", "expires_at")
    search_help_text = "The name of a user."
    fields = readonly_fields = ("user", "created_at", "expires_at")
    actions = ("revoke_all",)

    def get_search_fields(self, request: HttpRequest) -> tuple[str, ...]:
        return (f"user__{get_user_model().USERNAME_FIELD}",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.action(description="Revoke all tokens of these users", permissions=["delete"])
    def revoke_all(self, request: HttpRequest, queryset: QuerySet[Token]) -> None:
        """Delete every token of the users whose tokens are selected, those on other pages, too."""
        users = set(queryset.values_list("user", flat=True))
        number, _ = Token.objects.filter(user__in=users).delete()
        self.message_user(request, f"Tokens revoked: {number}")
