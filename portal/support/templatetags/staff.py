"""How staff pages show states, outcomes, faults and places."""

from __future__ import annotations

from django import template
from django.utils.safestring import SafeString

from connections.transport.models import RequestLogEntry
from portal.onboarding.models import Mark
from portal.support import showing

register = template.Library()

register.simple_tag(showing.place, name="place")
register.simple_tag(showing.kept_badge, name="kept_badge")


@register.simple_tag
def state(value: str, word: object) -> SafeString:
    return showing.badge(str(value), word)


@register.simple_tag
def outcome(entry: RequestLogEntry) -> SafeString:
    return showing.outcome(entry)


@register.simple_tag
def fault(provider: str, code: str) -> str:
    return showing.fault_words(provider, code) or showing.NOTHING


@register.simple_tag
def mark_badge(mark: Mark) -> SafeString:
    return showing.mark_badge(mark.state)
