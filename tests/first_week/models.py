"""The models of an owner's app `shop`."""

from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models

MAX_PERCENT = 100
LARGE = 100


class Customer(models.Model):
    name = models.CharField(max_length=50)
    email = models.EmailField(unique=True)
    website = models.URLField(blank=True)

    class Meta:
        ordering = ("-name", "-id")

    def __str__(self) -> str:
        return self.name


class Order(models.Model):
    customer = models.ForeignKey(Customer, models.PROTECT, related_name="orders")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True, related_name="orders")
    total = models.DecimalField(max_digits=8, decimal_places=2, default=0)
    placed_at = models.DateTimeField(null=True, blank=True)
    data = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-created_at", "-id")

    def __str__(self) -> str:
        return f"Order {self.pk}"

    @property
    def is_large(self) -> bool:
        return self.total >= LARGE


class Line(models.Model):
    order = models.ForeignKey(Order, models.CASCADE, related_name="lines")
    product = models.CharField(max_length=50)

    def __str__(self) -> str:
        return self.product


class Voucher(models.Model):
    """A model that validates itself whenever it is saved."""

    code = models.CharField(max_length=10, unique=True)
    percent = models.IntegerField()

    def __str__(self) -> str:
        return self.code

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.full_clean()
        super().save(*args, **kwargs)

    def clean(self) -> None:
        if self.percent > MAX_PERCENT:
            raise ValidationError({"percent": ValidationError("A voucher has a limit.", code="too_much")})


class Book(models.Model):
    """A model with the name of another app's."""

    title = models.CharField(max_length=50)

    def __str__(self) -> str:
        return self.title
