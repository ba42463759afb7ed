"""Registers the app and its jobs."""

from __future__ import annotations

from django.apps import AppConfig


class OnboardingConfig(AppConfig):
    name = "portal.onboarding"
    label = "onboarding"

    def ready(self) -> None:
        from connections.jobs.registry import register
        from connections.sync.services import RUN_ENDED
        from connections.transport.oauth.activation import ACTIVATION_ENDED, connect_consent
        from connections.transport.oauth.authorization import ATTEMPT_ENDED
        from connections.transport.oauth.revocation import DEPARTURE_ENDED
        from portal.incidents.lasting import connect_turns
        from portal.incidents.mails import connect_words
        from portal.incidents.sentences import connect_sentences
        from portal.onboarding import (
            activation_requests,
            consents,
            departures,
            diagnosis,
            handoffs,
            logins,
            probing,
            watch,
            watch_plan,
        )
        from portal.onboarding.marks import CHECK, HANDOFF_DONE
        from portal.onboarding.progress import sentence

        connect_consent(consents.has_consent)
        connect_sentences(sentence)
        connect_turns(handoffs.is_elsewhere)
        connect_words(handoffs.mail_words)
        register(CHECK, queue="interactive", handler=probing.check, on_parked=probing.gave_up)
        register(ATTEMPT_ENDED, queue="interactive", handler=logins.attempt_ended)
        register(ACTIVATION_ENDED, queue="interactive", handler=activation_requests.go_on)
        register(watch_plan.WATCH, queue="sync", handler=watch.watch)
        register(handoffs.REMIND, queue="mail", handler=handoffs.remind)
        register(HANDOFF_DONE, queue="mail", handler=handoffs.handoff_done)
        register(DEPARTURE_ENDED, queue="mail", handler=departures.departure_ended)
        register(RUN_ENDED, queue="interactive", handler=diagnosis.run_ended)
