"""The models of the app `guide`."""

from django.conf import settings
from django.db import models
from django.utils import timezone


class Customer(models.Model):
    name = models.CharField(max_length=50)
    email = models.EmailField(unique=True)

    class Meta:
        ordering = ["name"]

    def __str__(self):
        return self.name


class Tag(models.Model):
    """Without an ordering, as models are that say nothing."""

    name = models.CharField(max_length=20)
    slug = models.SlugField(unique=True)

    def __str__(self):
        return self.name


class Order(models.Model):
    class Status(models.TextChoices):
        NEW = "new"
        PAID = "paid"
        SENT = "sent"

    customer = models.ForeignKey(Customer, models.CASCADE, related_name="orders")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="orders", null=True, blank=True)
    status = models.CharField(max_length=4, choices=Status.choices, default=Status.NEW)
    total = models.DecimalField(max_digits=8, decimal_places=2, default=0)
    placed_at = models.DateTimeField(default=timezone.now)
    note = models.CharField(max_length=100, null=True, blank=True)
    gift = models.BooleanField(default=False)
    tags = models.ManyToManyField(Tag, blank=True, related_name="orders")

    class Meta:
        ordering = ["-placed_at"]

    def __str__(self):
        return f"Order {self.pk}"


class Line(models.Model):
    order = models.ForeignKey(Order, models.CASCADE, related_name="lines")
    product = models.CharField(max_length=50)
    quantity = models.PositiveIntegerField(default=1)

    class Meta:
        ordering = ["product"]
        unique_together = [("order", "product")]

    def __str__(self):
        return f"{self.quantity} {self.product}"


class Article(models.Model):
    title = models.CharField(max_length=50, unique_for_date="published")
    slug = models.SlugField(unique=True)
    published = models.DateField()
    data = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering = ["title"]

    def __str__(self):
        return self.title


class Document(models.Model):
    title = models.CharField(max_length=50)
    file = models.FileField(upload_to="documents")

    class Meta:
        ordering = ["title"]

    def __str__(self):
        return self.title


class Key(models.Model):
    """What a client proves its identity with."""

    key = models.CharField(max_length=40, unique=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)

    def __str__(self):
        return self.key
