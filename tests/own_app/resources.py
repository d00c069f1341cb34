"""The resources of the app `writers` in version 1 of the API."""

from typing import Any

from django.db.models import Count, F, QuerySet
from django.db.models.functions import Lower
from django_filters import rest_framework as filters
from rest_framework import serializers
from rest_framework.permissions import DjangoModelPermissionsOrAnonReadOnly, IsAuthenticatedOrReadOnly

from apis.viewsets import ConditionalModelViewSet
from writers.models import Novelist, Publisher, Tag, Writer


class TagSerializer(serializers.ModelSerializer[Tag]):
    class Meta:
        model = Tag
        fields = "__all__"


class TagViewSet(ConditionalModelViewSet):
    queryset = Tag.objects.all()
    serializer_class = TagSerializer


class PublisherSerializer(serializers.ModelSerializer[Publisher]):
    class Meta:
        model = Publisher
        fields = "__all__"


class PublisherViewSet(ConditionalModelViewSet):
    queryset = Publisher.objects.all()
    serializer_class = PublisherSerializer


class WriterSerializer(serializers.ModelSerializer[Writer]):
    class Meta:
        model = Writer
        fields = ("id", "name", "alias", "publisher", "first", "tags", "born", "died", "active")


class WriterFilter(filters.FilterSet):
    born = filters.DateFromToRangeFilter()
    tags = filters.ModelMultipleChoiceFilter(queryset=Tag.objects.all(), conjoined=True)

    class Meta:
        model = Writer
        fields = ("active", "name")

    @property
    def qs(self) -> QuerySet[Any]:
        return super().qs.exclude(name="Hidden")


class WriterViewSet(ConditionalModelViewSet):
    queryset = Writer.objects.select_related("publisher")
    serializer_class = WriterSerializer
    filterset_class = WriterFilter
    search_fields = ("^name", "alias", "publisher__name")
    ordering = ("-born",)
    ordering_fields = ("born", "died", "name", "first", "first__name", "active", "publisher", "publisher__founded")


class CountedSerializer(serializers.ModelSerializer[Writer]):
    count = serializers.IntegerField(read_only=True)

    class Meta:
        model = Writer
        fields = ("id", "name", "count")


class CountedViewSet(ConditionalModelViewSet):
    """An aggregate, by which lists are filtered and ordered."""

    queryset = Writer.objects.annotate(count=Count("tags"))
    serializer_class = CountedSerializer
    filterset_fields = ("active",)
    ordering_fields = ("count", "name")


class NovelistSerializer(serializers.ModelSerializer[Novelist]):
    class Meta:
        model = Novelist
        fields = ("id", "name", "novels", "active")


class NovelistViewSet(ConditionalModelViewSet):
    queryset = Novelist.objects.all()
    serializer_class = NovelistSerializer
    filterset_fields = ("active",)
    ordering_fields = ("name", "novels", "died")


class ExpressionViewSet(ConditionalModelViewSet):
    """A list whose queryset brings its ordering along, which the filter backend does not replace."""

    queryset = Writer.objects.order_by(F("died").asc(nulls_first=True), Lower("name").desc())
    serializer_class = WriterSerializer
    filterset_class = WriterFilter


class OpenViewSet(TagViewSet):
    """Reading is open to all."""

    permission_classes = (IsAuthenticatedOrReadOnly, DjangoModelPermissionsOrAnonReadOnly)
