"""How far runs are: sums over their streams, fetched together with the runs."""

from __future__ import annotations

from functools import cache

from django.db.models import Case, Count, OuterRef, Q, Subquery, Sum, When
from django.db.models.functions import Coalesce

from connections.sync.models import StreamProgress, SyncRun, SyncRunQuerySet


@cache
def runs_with_counts() -> SyncRunQuerySet:
    """Every run, to be filtered, with `seen`, the records it has read, `expected`, those it will read (None while that is
    not known of every stream), and `skipped`, those that could not be kept.

    Built once: that costs a page more than asking it.
    """
    streams = StreamProgress.objects.filter(run=OuterRef("id")).order_by().values("run")
    expected = Case(When(unknown=0, then=Sum("expected")))
    return SyncRun.objects.annotate(  # type: ignore[no-redef]  # the model names them for its readers
        seen=Coalesce(Subquery(streams.annotate(sum=Sum("seen")).values("sum")), 0),
        skipped=Coalesce(Subquery(streams.annotate(sum=Sum("skipped")).values("sum")), 0),
        expected=Subquery(
            streams.annotate(unknown=Count("id", filter=Q(expected=None))).annotate(sum=expected).values("sum")
        ),
    )
