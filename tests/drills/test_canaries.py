"""The short version of the canary sweep: every provider once."""

from __future__ import annotations

import pytest

from tests.drills import short

pytestmark = [*short.MARKS, pytest.mark.split]

PROVIDERS = ("hesabit", "pentamic", "procountor", "simutek", "smartbusiness")
OF_THE_HOUSE = {"database password": 4, "KEK, its bytes": 1, "web keyset, its bytes": 1, "Django's secret key": 1}


def test_no_secret_is_anywhere_and_every_planted_leak_is_caught():
    figures = short.figures_of("canaries", "--short")
    assert figures["found"] == []
    assert (figures["planted"], figures["caught"], figures["missed"]) == (20, 20, [])
    of_providers = figures["secrets_of_providers"]
    assert sorted(of_providers) == sorted(PROVIDERS)
    assert all("access token" in kinds for kinds in of_providers.values()), of_providers
    assert {"our client secret", "state", "code", "refresh token"} <= set(of_providers["hesabit"])
    assert {"our client secret", "state", "code", "verifier", "refresh token"} <= set(of_providers["smartbusiness"])
    for slug in ("pentamic", "simutek"):
        assert {"customer's client_secret", "mistaken client_secret"} <= set(of_providers[slug])
    assert {"our client secret", "customer's api_key", "mistaken api_key"} <= set(of_providers["procountor"])
    assert OF_THE_HOUSE.items() <= figures["secrets"].items()
    assert min(figures["exceptions"], figures["mails"], figures["pages"]) > 0
    assert all(figures["bytes_searched"].values()), figures["bytes_searched"]
