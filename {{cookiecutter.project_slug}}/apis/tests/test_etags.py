"""The ETag of a single row: which state it stands for, however the view finds the row and makes the body."""

from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from rest_framework import serializers

from apis.viewsets import ConditionalModelViewSet

pytestmark = pytest.mark.django_db

GROUPS = "/api/v1/groups/"


class GroupSerializer(serializers.ModelSerializer[Group]):
    class Meta:
        model = Group
        fields: Any = ("id", "name")


class GroupViewSet(ConditionalModelViewSet):
    queryset = Group.objects.order_by("name")
    serializer_class: Any = GroupSerializer


class Changing(GroupSerializer):
    """Stands for another request that adds a permission while the body is made."""

    added = serializers.SerializerMethodField()

    class Meta(GroupSerializer.Meta):
        fields = ("id", "name", "added")

    def get_added(self, group: Group) -> str:
        group.permissions.add(Permission.objects.all()[0])
        return "meanwhile"


def test_a_change_while_the_body_is_made_refuses_the_next_write(as_editor, mount):
    url = f"{GROUPS}{Group.objects.create(name='staff').pk}/"
    mount(groups=type("Changed", (GroupViewSet,), {"serializer_class": Changing}))
    as_editor("GET", url, status=200)
    seen = as_editor.response["ETag"]
    mount(groups=GroupViewSet)
    as_editor("PATCH", url, {"name": "new"}, status=412, if_match=seen)


def test_a_view_may_choose_its_object_itself(as_editor, mount):
    group = Group.objects.create(name="mine")
    mount(groups=type("Mine", (GroupViewSet,), {"get_object": lambda view: group}))
    assert as_editor("GET", f"{GROUPS}1/", status=200)["name"] == "mine"
    assert as_editor.response["ETag"]
