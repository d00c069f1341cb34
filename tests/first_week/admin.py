"""The admin of the app `shop`."""

from django.contrib import admin

from shop import models


@admin.register(models.Customer)
class CustomerAdmin(admin.ModelAdmin):
    search_fields = ("name",)


@admin.register(models.Order)
class OrderAdmin(admin.ModelAdmin):
    list_filter = ("customer", "created_at")
    date_hierarchy = "created_at"
    autocomplete_fields = ("customer",)


admin.site.register(models.Voucher)
