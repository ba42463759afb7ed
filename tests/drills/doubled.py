"""The Celery application as workers of the drill run it: with a provider that is written to.

celery --app tests.drills.doubled worker ...
"""

from __future__ import annotations

from connections.providers import registry
from portal.celery import app
from tests.calls.doubled import doubled


def stand_in() -> None:
    provider = doubled()
    providers = {**registry.all_providers(), provider.slug: provider}
    registry.all_providers = lambda: providers  # type: ignore[assignment]


stand_in()
__all__ = ["app", "stand_in"]
