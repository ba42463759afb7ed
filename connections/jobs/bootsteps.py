"""A step of Celery's consumer that reconnects a worker which lost acknowledgements, and with them room for messages."""

from __future__ import annotations

import logging
from typing import Any

from celery import bootsteps
from celery.worker import state

logger = logging.getLogger(__name__)

CHECK_EVERY_SECONDS = 2.0


class LostAcknowledgements(bootsteps.StartStopStep):
    """Reconnects a worker whose prefetch window is full of messages that are done.

    A message whose acknowledgement failed, because the broker went away meanwhile, keeps its place in the prefetch window
    for as long as the connection lasts (kombu 5.7). With every place lost a worker asks for nothing, so it never notices
    either that its connection is gone: it looks healthy and does nothing any more.
    """

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        self._timer: Any = None
        self._lost_before = 0

    def start(self, consumer: Any) -> None:
        self._lost_before = 0
        self._timer = consumer.timer.call_repeatedly(CHECK_EVERY_SECONDS, self.check, (consumer,))

    def stop(self, consumer: Any) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def check(self, consumer: Any) -> None:
        """Raises ConnectionResetError, on which Celery reconnects, for places that were lost at two checks in a row."""
        free = consumer.task_consumer.channel.qos.can_consume_max_estimate()
        lost = consumer.initial_prefetch_count - len(state.reserved_requests) - (free or 0)
        if min(lost, self._lost_before) > 0:
            logger.warning("%d acknowledgements were lost with the broker; connecting anew", lost)
            self._lost_before = 0
            message = "acknowledgements were lost"
            raise ConnectionResetError(message)
        self._lost_before = lost
