"""A company is known by its id however a number is spelled: 17 and 17.0 are not two companies."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from connections.providers.hesabit import checklist as hesabit
from connections.providers.pentamic import checklist as pentamic
from connections.providers.procountor import activation
from connections.providers.procountor import checklist as procountor
from connections.providers.simutek import checklist as simutek
from connections.providers.smartbusiness import checklist as smartbusiness
from connections.spec import proofs
from connections.spec.checklist import MarkState
from connections.spec.streams import BadPage


class Answered:
    """What a probe asks, with one answer for all of it."""

    def __init__(self, body: Any) -> None:
        self.body, self.company_id, self.confirmed = body, "17", {"user_id": "4"}
        self.company_confirmed = True

    def ask(self, *_args: Any) -> Any:
        return SimpleNamespace(body=self.body)


@pytest.mark.parametrize("number", [17, 17.0, "17"])
def test_a_company_is_the_same_however_it_is_spelled(number: Any) -> None:
    session: Any = Answered({"companyId": number, "name": "Aamu", "userId": 4.0})
    assert proofs.company(procountor.company)(session).code == "company-found"
    assert procountor.technical_user(session).state is MarkState.VERIFIED
    assert smartbusiness.profile(Answered({"item": {"id": number}})).id == "17"  # type: ignore[arg-type]
    for customers, key in ((hesabit.customers, "id"), (pentamic.customers, "id"), (simutek.customers, "number")):
        assert customers(Answered([{key: number, "name": "B"}]))[0][0] == "17"  # type: ignore[arg-type]
    proposal = activation.read({"companiesToIntegrate": [{"companyId": number}]})
    assert activation.keys({"companiesIntegrated": [{"companyId": number, "apiKey": "k"}]}).keys() == {"17"}
    assert [company for company, _words in proposal.companies] == ["17"]


@pytest.mark.parametrize("number", [None, "", True, [17]])
def test_what_is_no_id_is_no_company(number: Any) -> None:
    for read in (
        lambda: procountor.company(Answered({"companyId": number})),  # type: ignore[arg-type]
        lambda: smartbusiness.profile(Answered({"id": number})),  # type: ignore[arg-type]
        lambda: activation.read({"companiesToIntegrate": [{"companyId": number}]}),
    ):
        with pytest.raises(BadPage):
            read()
