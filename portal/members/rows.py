"""The one way a page takes hold of a tenant's row: inside the scope, with the tenant named once more, or 404."""

from __future__ import annotations

from typing import Any, TypeVar

from django.db.models import Model, QuerySet
from django.shortcuts import get_object_or_404

from portal.members.access import MemberRequest

Row = TypeVar("Row", bound=Model)


def own(request: MemberRequest, rows: type[Row] | QuerySet[Row], **wanted: Any) -> Row:
    """The row of the request's tenant. Raises Http404, alike for one that is missing and one that is another tenant's."""
    row: Row = get_object_or_404(rows, tenant_id=request.tenant.id, **wanted)
    row.tenant = request.tenant  # type: ignore[attr-defined]  # known already: nobody need fetch it again
    return row
