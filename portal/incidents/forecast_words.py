"""What a forecast says: what is to come, what to do before, and what happens otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext_lazy as _

from connections.providers import registry
from connections.spec.text import Text, duration
from portal.incidents.forecast import ACCESS, CEILING, CERTIFICATE, CHANGE, UNUSED, UNUSED_AFTER, Forecast

WHAT = {
    ACCESS.name: _("The access that somebody gave us by signing in at %(provider)s ends."),
    CERTIFICATE.name: _("The certificate of %(host)s ends."),
    UNUSED.name: _("The access is stored, and by then nobody has used it for %(unused)s."),
    CEILING.name: _(
        "At the pace of the last weeks, the number of sign-ins for this company reaches %(most)s, as many as %(provider)s "
        "keeps for one person. As far as we see, %(count)s stand."
    ),
}
WHAT_TO_DO = {
    ACCESS.name: _(
        "Sign in once more before then. %(provider)s lets an access live for %(days)s days; connection, records and schedule "
        "stay as they are."
    ),
    CERTIFICATE.name: _(
        "Ask whoever runs the server whether it is renewed. As soon as it shows another one, we stop until one of you has "
        "compared it."
    ),
    UNUSED.name: _("Go on with the connection, or disconnect it."),
    CEILING.name: _("Sign in only where an access has ended."),
}
OTHERWISE = {
    ACCESS.name: _("From then on nothing is read until somebody signs in."),
    CERTIFICATE.name: _("From then on we send nothing to this server, and nothing is read."),
    UNUSED.name: _("Nothing stops. But what nobody uses nobody misses when it gets into wrong hands."),
    CEILING.name: _("One of the accesses ends, and its connection reads nothing until somebody signs in."),
}


@dataclass(frozen=True)
class ForecastWords:
    """In the reader's language."""

    what: str
    todo: str
    otherwise: str
    alternatives: Sequence[Text] = ()


def forecast_words(forecast: Forecast) -> ForecastWords:
    """Its sentences; an announced change brings its own."""
    change = forecast.change
    if forecast.kind is CHANGE and change is not None:
        return ForecastWords(str(change.title), str(change.todo), str(change.otherwise), change.alternatives)
    provider = registry.find(forecast.provider)
    name = provider.name if provider is not None else forecast.provider
    values = {**forecast.values, "provider": name, "unused": duration(UNUSED_AFTER)}
    kind = forecast.kind.name
    return ForecastWords(*(str(sentences[kind]) % values for sentences in (WHAT, WHAT_TO_DO, OTHERWISE)))
