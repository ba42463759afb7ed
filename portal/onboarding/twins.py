"""The same company twice in one tenant: noticed before the second connection goes live."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from django.db.models import Q

from connections.vault.models import Connection, ConnectionState
from connections.vault.querysets import ConnectionQuerySet
from portal.onboarding.marks import provider_of


def twin_of(connection: Connection, values: Mapping[str, str]) -> Connection | None:
    """The tenant's other connection to the company that a check has found (`company_id` and `company` of its values).

    Where the provider does not say whose books it opens, one that is called the same is taken for it as well. None for a
    connection that has gone live: nothing can be prevented there. One query, in the tenant's scope.
    """
    company_id, name = values.get("company_id", ""), values.get("company", "").strip()
    if connection.state != ConnectionState.SETUP or not company_id:
        return None
    is_same = Q(company_id=company_id)
    if not provider_of(connection).tells_company and name:
        is_same |= Q(company_name__iexact=name)
    return _others(connection.provider, connection.environment).filter(is_same).exclude(id=connection.id).first()


def connected_companies(provider: str, environment: str, company_ids: Collection[str]) -> dict[str, Connection]:
    """Of these companies, those that are connected already, each with its oldest connection. One query, in the tenant's
    scope.
    """
    rows = _others(provider, environment).filter(company_id__in=company_ids).order_by("-created_at")
    return {row.company_id: row for row in rows}


def _others(provider: str, environment: str) -> ConnectionQuerySet:
    same_place = Connection.objects.filter(provider=provider, environment=environment)
    return same_place.exclude(state=ConnectionState.DISCONNECTED).exclude(company_id="").order_by("created_at")
