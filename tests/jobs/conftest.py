"""Kinds of jobs that only tests have, and a way to let leases run out."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from connections.jobs import registry, services
from connections.jobs.models import Job


@pytest.fixture
def kind(monkeypatch):
    """`kind(handler)` registers a kind for this test and returns its name."""
    monkeypatch.setattr(registry, "_KINDS", dict(registry._KINDS))

    def add(handler=lambda lease: None, *, queue="interactive", on_parked=None, name=""):
        name = name or f"test.{uuid.uuid4().hex[:8]}"
        registry.register(name, queue=queue, handler=handler, on_parked=on_parked)
        return name

    return add


@pytest.fixture
def enqueue():
    def put(name, *, subject=None, tenant=None, **more):
        job_id = services.enqueue(
            kind=name, subject=subject or uuid.uuid4(), tenant_id=tenant.id if tenant else None, **more
        )
        return Job.objects.get(id=job_id)

    return put


def expire(job):
    """As if its holder had not renewed for a lease's length."""
    Job.objects.filter(id=job.id).update(lease_until=timezone.now() - timedelta(seconds=1))


def make_due(job):
    Job.objects.filter(id=job.id).update(due_at=timezone.now() - timedelta(seconds=1))
