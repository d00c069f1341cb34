"""Books in the admin."""

from django.contrib import admin

from books.models import Book


@admin.register(Book)
class BookAdmin(admin.ModelAdmin):
    list_display = ("title", "author", "isbn", "created_at")
    list_filter = ("created_at",)
    search_fields = ("title", "subtitle", "author", "isbn")
    readonly_fields = ("created_at", "updated_at")
