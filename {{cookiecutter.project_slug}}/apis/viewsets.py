"""The base class of the API's viewsets. https://www.django-rest-framework.org/api-guide/viewsets/"""

import hashlib
import hmac
import json
import re
from typing import Any

from django.conf import settings
from django.core.exceptions import ObjectDoesNotExist
from django.db import models, router, transaction
from django.http import Http404
from rest_framework import viewsets
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response

from apis.exceptions import PreconditionFailed
from apis.overrides import overrides
from apis.pagination import KeysetPagination
from apis.serializers import ColumnsSerializer, columns_serializer

# An ETag is "<hash of the row>.<hash of the body>"; a proxy that compresses may add W/ in front, or a suffix.
STATE = re.compile(r'"([0-9a-f]{32})\.')


class ConditionalModelViewSet(viewsets.ModelViewSet):
    """DRF's ModelViewSet with transactions, row locks, `If-Match` and `ETag`.

    A client that sends the `ETag` back in `If-Match` cannot overwrite somebody else's change: a write opens a
    transaction, `get_object` locks the row in it and compares `If-Match`, and `tagged` adds the new `ETag`.

    Lists with only plain columns take a fast path: see `apis.serializers`. To opt out of it, set
    `list = ModelViewSet.list`.
    """

    def get_object(self) -> Any:
        """Return the object; a write in a transaction locks its row.

        Raises PreconditionFailed if `If-Match` names another state of the row.
        """
        instance = super().get_object()
        if self.request.method in SAFE_METHODS:
            # Before it is serialized: a change in between can only make a later `If-Match` fail needlessly.
            self.state = state_of(instance)
        else:
            database = router.db_for_write(type(instance), instance=instance)
            # A row lock needs a transaction; autocommit is off inside one.
            if not transaction.get_autocommit(database):
                lock(instance, database)
                # The row may have changed since its permissions were checked.
                self.check_object_permissions(self.request, instance)
            expected = self.request.headers.get("If-Match", "*").strip()
            if expected != "*" and state_of(instance) not in STATE.findall(expected):
                raise PreconditionFailed
        return instance

    def get_serializer(self, *args: Any, **kwargs: Any) -> Any:
        # Keep it: `tagged` reads its instance.
        self.last_serializer = super().get_serializer(*args, **kwargs)
        return self.last_serializer

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        columns = self.fast_list_serializer()
        if columns is None or not columns.fits(queryset := self.filter_queryset(self.get_queryset())):
            return super().list(request, *args, **kwargs)
        page = self.paginate_queryset(columns.values(queryset))
        return self.get_paginated_response(columns.data(page or [], request))

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.tagged(super().retrieve(request, *args, **kwargs))

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        with self.write_transaction():
            return self.tagged(super().create(request, *args, **kwargs))

    def update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        with self.write_transaction():
            return self.tagged(super().update(request, *args, **kwargs))

    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        with self.write_transaction():
            return super().destroy(request, *args, **kwargs)

    def write_transaction(self) -> Any:
        """Return a transaction in the database that `queryset` writes to; without `queryset`, in the default one."""
        queryset: Any = getattr(self, "queryset", None)
        # No query runs here: after `select_for_update()`, `db` is the database for writes.
        return transaction.atomic(None if queryset is None else queryset.select_for_update().db)

    def fast_list_serializer(self) -> ColumnsSerializer | None:
        """Return the faster serializer for lists; None if its list could differ, as with PageNumberPagination."""
        pagination: Any = self.pagination_class
        if pagination is None or not issubclass(pagination, KeysetPagination) or pagination.page_size is None:
            return None
        if overrides(pagination, KeysetPagination, "get_page_size", "paginate_queryset") or self.format_kwarg:
            return None
        if overrides(type(self), ConditionalModelViewSet, *OVERRIDABLE):
            return None
        serializer_class: Any = self.get_serializer_class()
        return columns_serializer(serializer_class)

    def tagged(self, response: Response) -> Response:
        """Add the `ETag`: a hash of the row for `If-Match`, and one of the body for `If-None-Match`."""
        instance = getattr(getattr(self, "last_serializer", None), "instance", None)
        if isinstance(instance, models.Model) and self.request.method not in SAFE_METHODS:
            # The database may store another value than `save()` was given, such as 0.00 instead of 0: read it again.
            instance = type(instance)._base_manager.using(instance._state.db).filter(pk=instance.pk).first()
        if isinstance(instance, models.Model) and not response.has_header("ETag"):
            # There is no `state` if the view has its own `get_object`.
            before = getattr(self, "state", None)
            state = before if before and self.request.method in SAFE_METHODS else state_of(instance)

            def add_etag(rendered: Response) -> None:
                content = hashlib.md5(rendered.content, usedforsecurity=False).hexdigest()
                rendered["ETag"] = f'"{state}.{content}"'

            response.add_post_render_callback(add_etag)
        return response


# A viewset that overrides one of these gets DRF's list.
OVERRIDABLE = ("get_serializer", "get_serializer_context", "get_paginated_response", "paginate_queryset", "paginator")


def lock(instance: models.Model, database: str) -> None:
    """Lock the row, waiting for other writers, and reload it. Raises Http404 if it was deleted meanwhile."""
    try:
        instance.refresh_from_db(from_queryset=type(instance)._base_manager.using(database).select_for_update())
    except ObjectDoesNotExist as error:
        raise Http404 from error


def state_of(instance: models.Model) -> str:
    """Return a hash of the row's columns and many-to-many relations, the same for every representation and host."""
    if deferred := instance.get_deferred_fields():
        # The state must not depend on which fields have been loaded.
        instance.refresh_from_db(fields=deferred)
    row = type(instance)._base_manager.using(instance._state.db).filter(pk=instance.pk)
    state: dict[str, Any] = {}
    for field in type(instance)._meta.get_fields():
        if not isinstance(field, models.Field):
            continue
        if field.many_to_many:
            # Query the table: the instance may have prefetched only some related rows. Without any, the
            # query returns one None.
            related = row.values_list(field.name, flat=True)
            state[field.name] = sorted(str(key) for key in related if key is not None)
        elif field.concrete:
            state[field.name] = field.value_to_string(instance)
    text = json.dumps(state, sort_keys=True, default=str)
    # Use the secret key: with a plain hash, anybody could test guesses of the columns that a serializer hides.
    return hmac.digest(settings.SECRET_KEY.encode(), f"ETag {text}".encode(), "sha256").hex()[:32]
