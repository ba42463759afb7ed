"""The registry of proofs: for every checkpoint of every provider how it is proved, what is asked, and how that could be wrong."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from connections.providers.registry import all_providers
from connections.spec.checklist import CERTIFICATES, TOKEN, Checkpoint, Inference, LogProbe, Probe, Proof
from connections.spec.provider import Provider
from connections.spec.text import Text

REQUESTS = {
    TOKEN: gettext_lazy("a new token"),
    CERTIFICATES: gettext_lazy("the servers' certificates, before anything is sent"),
}


@dataclass(frozen=True)
class ProofRow:
    """One checkpoint. `auth_methods` are the names of the ways that it is for; none stands for all."""

    checkpoint: Checkpoint
    auth_methods: str
    proof: Text
    requests: list[str]
    is_confirmed: bool  # a person must say that what was found is meant

    @property
    def slug(self) -> str:
        return self.checkpoint.slug


@dataclass(frozen=True)
class ProofTable:
    """Those of one provider, in the order of its checklist."""

    provider: Provider
    rows: list[ProofRow]


def proof_tables() -> list[ProofTable]:
    """Of all providers."""
    return [
        ProofTable(provider, [_row(provider, each) for each in provider.checklist])
        for provider in all_providers().values()
    ]


def _row(provider: Provider, checkpoint: Checkpoint) -> ProofRow:
    operations = {operation.name: f"{operation.method} {operation.path}" for operation in provider.operations}
    return ProofRow(
        checkpoint,
        ", ".join(str(provider.grant(name).label) for name in checkpoint.auth_methods),
        capfirst(kind_of(checkpoint.proof, provider)),
        [operations.get(name) or str(REQUESTS[name]) for name in checkpoint.asks],
        bool(checkpoint.confirm),
    )


def kind_of(proof: Proof, provider: Provider) -> str:
    """The strongest first: a live probe, our own log, another checkpoint's proof, a person's word."""
    if isinstance(proof, Probe):
        return _("we ask the provider")
    if isinstance(proof, LogProbe):
        return _("we look into our own log")
    if isinstance(proof, Inference):
        title = next(each.title for each in provider.checklist if each.slug == proof.follows)
        return _("it follows from “%(title)s”") % {"title": title}
    return _("a person says so")


def registry_of_proofs(request: HttpRequest) -> HttpResponse:
    """The page. No query of its own: everything is code."""
    context = {**admin.site.each_context(request), "title": _("Proofs"), "tables": proof_tables()}
    return TemplateResponse(request, "admin/proofs.html", context)
