"""What a schedule makes a worker do that somebody wrote past its form, with the web's login."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from django.utils import timezone as clock

from connections.jobs.models import Job, JobState
from connections.sync.models import Schedule, ScheduleSlot
from connections.sync.schedule_models import SLOTS_KEPT
from connections.tenancy.scope import tenant_scope
from tests.roles import acting_as
from tests.sync.test_schedule import beat, change, the_job

UTC = timezone.utc
EVERY_MINUTE = [f"{number // 60:02}:{number % 60:02}" for number in range(24 * 60)]


@pytest.mark.parametrize(
    "values",
    [
        {"settled_at": datetime(2000, 1, 1, tzinfo=UTC)},
        {"kind": "times", "times": EVERY_MINUTE, "settled_at": datetime(2000, 1, 1, tzinfo=UTC)},
        {"kind": "times", "times": ["06:00"], "weekdays": [9]},
    ],
    ids=["since 2000", "every minute", "on no day"],
)
def test_a_schedule_that_a_thief_wrote_costs_a_worker_no_more_than_any_other(place, values):
    """Whoever has the web's login may write the row past the form."""
    change(place, every_hours=1)
    with acting_as("web"), tenant_scope(place.tenant_id):
        Schedule.objects.filter(connection=place).update(**values)
    Job.objects.filter(id=the_job(place).id).update(due_at=clock.now())
    job = the_job(place)
    beat(place, job)
    job.refresh_from_db()
    assert (job.failures, job.state) in ((0, JobState.QUEUED), (0, JobState.SUCCEEDED))
    assert ScheduleSlot.objects.count() <= 24 * SLOTS_KEPT.days
