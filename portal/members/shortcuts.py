"""How a page gets a row of its tenant: inside the scope, with the tenant named once more, or 404."""

from __future__ import annotations

from typing import Any, TypeVar

from django.db.models import Model, QuerySet
from django.shortcuts import get_object_or_404

from portal.members.access import MemberRequest

Row = TypeVar("Row", bound=Model)


def get_own_or_404(request: MemberRequest, rows: type[Row] | QuerySet[Row], **lookup: Any) -> Row:
    """The row of the request's tenant. Raises Http404, alike for one that is missing and one that is another tenant's."""
    row: Row = get_object_or_404(rows, tenant_id=request.tenant.id, **lookup)
    row.tenant = request.tenant  # type: ignore[attr-defined]  # known already: nobody need fetch it again
    return row
