"""Models with what the books do not have: null columns, relations of each kind, inheritance."""

from django.db import models


class Tag(models.Model):
    name = models.CharField(max_length=20)

    def __str__(self) -> str:
        return self.name


class Publisher(models.Model):
    name = models.CharField(max_length=50)
    founded = models.DateField(null=True)

    class Meta:
        ordering = ("-founded", "name")

    def __str__(self) -> str:
        return self.name


class Writer(models.Model):
    name = models.CharField(max_length=50)
    alias = models.CharField(max_length=50, null=True)  # noqa: DJ001  # a column with null values
    publisher = models.ForeignKey(Publisher, models.PROTECT, null=True)
    first = models.ForeignKey(Tag, models.PROTECT, related_name="first_of")
    tags = models.ManyToManyField(Tag)
    born = models.DateField()
    died = models.DateField(null=True)
    active = models.BooleanField(default=True)

    def __str__(self) -> str:
        return self.name


class Novelist(Writer):
    novels = models.IntegerField(null=True)
