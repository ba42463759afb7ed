"""Words of forecasts, for the pages that list them."""

from __future__ import annotations

from django import template

from portal.incidents import forecast_words as words
from portal.incidents.forecast import Forecast

register = template.Library()


@register.simple_tag
def forecast_words(forecast: Forecast) -> words.ForecastWords:
    """What is to come, what to do before, and what happens otherwise."""
    return words.forecast_words(forecast)
