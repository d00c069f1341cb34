"""Permission classes of the API. https://www.django-rest-framework.org/api-guide/permissions/"""

from typing import Any

from rest_framework.permissions import DjangoModelPermissions, IsAuthenticated
from rest_framework.request import Request


class IsAuthenticatedWithModelPermissions(IsAuthenticated):
    """Reading needs a logged-in user; writing through a view of a model also needs the permission for that model.

    To let everybody read through a view, give it
    `permission_classes = [IsAuthenticatedOrReadOnly, DjangoModelPermissionsOrAnonReadOnly]`.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        if not super().has_permission(request, view):
            return False
        return not has_model(view) or DjangoModelPermissions().has_permission(request, view)


class DjangoModelPermissionsWithView(DjangoModelPermissions):
    """Like `DjangoModelPermissions`, but reading requires the `view` permission."""

    perms_map = {
        **DjangoModelPermissions.perms_map,
        "GET": ["%(app_label)s.view_%(model_name)s"],
        "HEAD": ["%(app_label)s.view_%(model_name)s"],
    }


def has_model(view: Any) -> bool:
    """Whether the view has a queryset, whose model has permissions; a plain `APIView` or function has none."""
    if getattr(view, "queryset", None) is not None:
        return True
    return has_own_queryset(view) and hasattr(view.get_queryset(), "model")


def has_own_queryset(view: Any) -> bool:
    """Whether the view overrides `get_queryset`."""
    # By its module's name, because DRF imports this module while it defines its generic views.
    return getattr(getattr(view, "get_queryset", None), "__module__", None) not in {None, "rest_framework.generics"}
