"""A step of Celery's consumer: connects a worker anew that lost an acknowledgement, and with it a place for messages."""

from __future__ import annotations

import logging
from typing import Any

from celery import bootsteps
from celery.worker import state

logger = logging.getLogger(__name__)

EVERY = 2.0  # seconds


class LostAcknowledgements(bootsteps.StartStopStep):
    """A message whose acknowledgement failed, because the broker went away meanwhile, keeps its place in the prefetch
    window for as long as the connection lasts (kombu 5.7). With every place lost a worker asks for nothing, so it never
    notices either that its connection is gone: it stands still for ever, in good health.
    """

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        self._timer: Any = None
        self._lost_before = 0

    def start(self, consumer: Any) -> None:
        self._lost_before = 0
        self._timer = consumer.timer.call_repeatedly(EVERY, self.check, (consumer,))

    def stop(self, consumer: Any) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def check(self, consumer: Any) -> None:
        """Raises ConnectionResetError, on which Celery connects anew, for places that were lost at two looks in a row."""
        room = consumer.task_consumer.channel.qos.can_consume_max_estimate()
        lost = consumer.initial_prefetch_count - len(state.reserved_requests) - (room or 0)
        if min(lost, self._lost_before) > 0:
            logger.warning("%d acknowledgements were lost with the broker; connecting anew", lost)
            self._lost_before = 0
            message = "acknowledgements were lost"
            raise ConnectionResetError(message)
        self._lost_before = lost
