"""What is missing of a provider: pieces that are named and not there, and sentences that nobody wrote.

    python -m tests.contract.completeness kuvitelma

prints one complaint a line and ends with 1 where there are any. Needs no database and no simulator that runs.
"""

from __future__ import annotations

import ast
import os
import re
import string
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from connections.spec.checklist import CERTIFICATES, TOKEN, Attestation, Checkpoint, Inference, LogProbe, Probe
from connections.spec.grants import AuthorizationCode, ClientCredentials
from connections.spec.operations import Operation, ParameterPlace
from connections.spec.provider import CustomerHosts, Provider

REPOSITORY = Path(__file__).resolve().parents[2]
NAME = re.compile(r"[a-z][a-z0-9_-]*(\.[a-z][A-Za-z0-9_-]*)*")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
OURS = {"unreadable-answer", "check-gave-up"}  # findings that no provider has to write


def complaints(provider: Provider) -> list[str]:
    """Everything that is missing, one sentence each."""
    parts = (_itself, _ways, _operations, _streams, _faults, _checklist, _changes, _said_in_code, _files, _simulator)
    return [f"{provider.slug}: {complaint}" for part in parts for complaint in part(provider)]


def _empty(**texts: Any) -> Iterator[str]:
    yield from (name for name, text in texts.items() if not str(text).strip())


def _twice(what: str, names: Iterable[str]) -> Iterator[str]:
    yield from (f"{what} {name} is declared {count} times" for name, count in Counter(names).items() if count > 1)


def _itself(provider: Provider) -> Iterator[str]:
    for name in _empty(name=provider.name, summary=provider.summary, language=provider.language):
        yield f"its {name} is empty"
    for name in ("connect_needs", "data_moved", "assumptions"):
        if not getattr(provider, name):
            yield f"it says no {name}"
    yield from _twice("credential", [field.name for field in provider.credentials])
    fields = {field.name for field in provider.credentials}
    for field in provider.credentials:
        for name in _empty(label=field.label):
            yield f"credential {field.name} has no {name}"
    for known in provider.hosts.values():
        if isinstance(known, CustomerHosts):
            for name in {known.api, known.token} - fields - {""}:
                yield f"an address is read from {name}, which is no credential"
    if provider.wire_field:
        choices = {value for value, _label in provider.field(provider.wire_field).choices}
        for value in choices ^ set(provider.wires):
            yield f"the form {value} is not both offered and described"


def _ways(provider: Provider) -> Iterator[str]:
    yield from _twice("auth_method", [each.name for each in (*provider.grants, *provider.logins)])
    fields = {field.name for field in provider.credentials}
    operations = {operation.name for operation in provider.operations}
    faults = {fault.code for fault in provider.faults.all()}
    if len(provider.grants) > 1:
        yield from (f"way {grant.name} has no label" for grant in provider.grants if not str(grant.label).strip())
    for grant in provider.grants:
        checkpoints = provider.checkpoints(grant.name)
        typed = {name for checkpoint in checkpoints for name in checkpoint.fields}
        offered = {name for checkpoint in checkpoints for name in checkpoint.connect}
        given = {login.credential for login in provider.logins if login.name in offered}
        if isinstance(grant, ClientCredentials):
            needed = {*grant.also, *(("client_id", "client_secret") if grant.client == "customers" else ())}
            yield from (f"way {grant.name} sends {name}, which is no credential" for name in needed - fields)
            yield from (
                f"way {grant.name} needs {name}, which no checkpoint asks for" for name in needed - typed - given
            )
        else:
            if grant.name not in offered:
                yield f"way {grant.name} starts at no checkpoint"
            if grant.logout and grant.logout not in operations:
                yield f"way {grant.name} ends by {grant.logout}, which is no operation"
            if grant.lost.code not in faults:
                yield f"way {grant.name} is lost by {grant.lost.code}, which is not among the faults"
    for login in provider.logins:
        if login.credential not in fields:
            yield f"login {login.name} gives {login.credential}, which is no credential"
        if not any(login.name in checkpoint.connect for checkpoint in provider.checklist):
            yield f"login {login.name} starts at no checkpoint"
    if (linked := provider.activation) is not None:
        for name in {linked.show, linked.decide} - operations:
            yield f"the activation asks {name}, which is no operation"
        if linked.auth_method not in {grant.name for grant in provider.grants} or linked.credential not in fields:
            yield "the activation leads to no way or credential"


def _operations(provider: Provider) -> Iterator[str]:
    known = {operation.name: operation for operation in provider.operations}
    yield from _twice("operation", [operation.name for operation in provider.operations])
    for operation in provider.operations:
        for wrong in _operation(operation, known):
            yield f"operation {operation.name} {wrong}"


def _operation(operation: Operation, known: dict[str, Operation]) -> Iterator[str]:
    if not NAME.fullmatch(operation.name):
        yield "has a strange name"
    if operation.method not in METHODS or not operation.path.startswith("/"):
        yield "has a strange method or path"
    for name in _empty(label=operation.label, source=operation.source):
        yield f"has no {name}"
    yield from _twice("parameter", [parameter.name for parameter in operation.parameters])
    filled = {name for _text, name, _spec, _conversion in string.Formatter().parse(operation.path) if name}
    declared = {parameter.name for parameter in operation.parameters if parameter.place is ParameterPlace.PATH}
    yield from (f"does not declare {name} of its path" for name in filled - declared)
    yield from (f"declares {name}, which its path lacks" for name in declared - filled)
    if operation.look_up is not None:
        looking = known.get(operation.look_up.operation)
        if looking is None or looking.is_write:
            yield f"is looked up by {operation.look_up.operation}, which is no operation that reads"
    if operation.follow_up is not None:
        following = known.get(operation.follow_up.operation)
        if following is None or f"{{{operation.follow_up.parameter}}}" not in following.path:
            yield f"is followed up by {operation.follow_up.operation}, which does not take {operation.follow_up.parameter}"
        yield from (f"says nothing at {status}" for status, text in operation.follow_up.ended.items() if not str(text))


def _streams(provider: Provider) -> Iterator[str]:
    known = {operation.name: operation for operation in provider.operations}
    faults = {fault.code for fault in provider.faults.all()}
    before: list[str] = []
    yield from _twice("stream", [stream.name for stream in provider.streams])
    for stream in provider.streams:
        for name in _empty(label=stream.label, source=stream.source, key=stream.key):
            yield f"stream {stream.name} has no {name}"
        if not stream.listed:
            yield f"stream {stream.name} declares no columns, so that its records are shown by their ids alone"
        yield from (
            f"a column of stream {stream.name} has no label" for each in stream.columns if not str(each.label).strip()
        )
        listing = known.get(stream.operation)
        if listing is None or not listing.may_retry:
            yield f"stream {stream.name} reads {stream.operation}, which is no operation that may be asked again"
        if (right := stream.permission) is not None:
            if right.operation not in known:
                yield f"stream {stream.name} asks {right.operation} for its right, which is no operation"
            if right.fault.code not in faults:
                yield f"stream {stream.name} is refused by {right.fault.code}, which is not among the faults"
        if (each := stream.each) is not None:
            if each.stream not in before:
                yield f"stream {stream.name} belongs to {each.stream}, which is not read before it"
            yield from (
                f"stream {stream.name} ends quietly by {code}, which is no fault"
                for code in each.gone
                if code not in faults
            )
        before.append(stream.name)


def _faults(provider: Provider) -> Iterator[str]:
    slugs = {checkpoint.slug for checkpoint in provider.checklist}
    found = {fault.code: fault for fault in provider.faults.all()}
    for fault in provider.faults.all():
        if found[fault.code] != fault:
            yield f"fault {fault.code} means two things"
    for fault in found.values():
        if not NAME.fullmatch(fault.code):
            yield f"fault {fault.code} has a strange code"
        for name in _empty(customer_message=fault.customer_message, staff_message=fault.staff_message):
            yield f"fault {fault.code} has no sentence for {name}"
        if fault.checkpoint and fault.checkpoint not in slugs:
            yield f"fault {fault.code} leads to {fault.checkpoint}, which is no checkpoint"


def _checklist(provider: Provider) -> Iterator[str]:
    for code, sentence in provider.sentences.items():
        if not str(sentence).strip():
            yield f"sentence {code} is empty"
    for grant in provider.grants:
        checkpoints = provider.checkpoints(grant.name)
        slugs = [checkpoint.slug for checkpoint in checkpoints]
        yield from _twice(f"checkpoint of way {grant.name}:", slugs)
        for place, checkpoint in enumerate(checkpoints):
            for wrong in _checkpoint(provider, checkpoint, slugs, place):
                yield f"checkpoint {checkpoint.slug} of way {grant.name} {wrong}"
        if not any(checkpoint.confirm and not checkpoint.pins for checkpoint in checkpoints):
            yield f"way {grant.name} has nobody confirm the company"
        if not any(isinstance(checkpoint.proof, LogProbe) for checkpoint in checkpoints):
            yield f"way {grant.name} never looks at the first sync"


def _checkpoint(provider: Provider, checkpoint: Checkpoint, slugs: list[str], place: int) -> Iterator[str]:
    for name in _empty(title=checkpoint.title, line=checkpoint.line, why=checkpoint.why, who=checkpoint.who):
        yield f"says no {name}"
    yield from _proof(provider, checkpoint)
    if isinstance(checkpoint.proof, Attestation) and not str(checkpoint.attest).strip():
        yield "asks a person without a sentence to attest"
    if isinstance(checkpoint.proof, Attestation | Inference) and checkpoint.proof.code not in provider.sentences:
        yield f"finds {checkpoint.proof.code}, for which there is no sentence"
    if isinstance(checkpoint.proof, Inference) and checkpoint.proof.follows not in slugs:
        yield f"follows {checkpoint.proof.follows}, which is no checkpoint"
    yield from (f"needs {slug}, which is no checkpoint" for slug in checkpoint.needs if slug not in slugs)
    fields = {field.name for field in provider.credentials}
    logins = {each.name for each in (*provider.logins, *provider.grants) if not isinstance(each, ClientCredentials)}
    yield from (f"asks for {name}, which is no credential" for name in checkpoint.fields if name not in fields)
    yield from (f"starts {name}, which is no login" for name in checkpoint.connect if name not in logins)
    yield from (
        f"is for {auth_method}, which is no way"
        for auth_method in checkpoint.auth_methods
        if auth_method not in {g.name for g in provider.grants}
    )


def _proof(provider: Provider, checkpoint: Checkpoint) -> Iterator[str]:
    """What staff read of a proof: what it asks, and how it could be wrong."""
    if not checkpoint.false_answer.strip():
        yield "does not say what a false answer could look like"
    known = {TOKEN, CERTIFICATES, *(operation.name for operation in provider.operations if not operation.is_write)}
    yield from (f"asks {name}, which is no operation that reads" for name in checkpoint.asks if name not in known)
    if isinstance(checkpoint.proof, Probe) != bool(checkpoint.asks):
        yield "is proved by a probe that asks nothing, or asks without a probe"


def _changes(provider: Provider) -> Iterator[str]:
    ways = {grant.name for grant in provider.grants}
    slugs = {checkpoint.slug for checkpoint in provider.checklist}
    yield from _twice("change", [change.slug for change in provider.changes])
    for change in provider.changes:
        for name in _empty(title=change.title, todo=change.todo, otherwise=change.otherwise, source=change.source):
            yield f"change {change.slug} says no {name}"
        yield from (
            f"change {change.slug} concerns {way}, which is no way" for way in change.auth_methods if way not in ways
        )
        if change.checkpoint and change.checkpoint not in slugs:
            yield f"change {change.slug} is made at {change.checkpoint}, which is no checkpoint"


def _said_in_code(provider: Provider) -> Iterator[str]:
    """Probes are code: what they ask by name must be an operation, and what they find must be a sentence."""
    operations = {operation.name for operation in provider.operations}
    for path in sorted((REPOSITORY / "connections" / "providers" / provider.slug).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            words = [
                each.value for each in node.args if isinstance(each, ast.Constant) and isinstance(each.value, str)
            ]
            if called == "ask" and words and words[0] not in operations:
                yield f"{path.name}:{node.lineno} asks {words[0]}, which is no operation"
            if called == "Finding" and words and words[0] not in {*provider.sentences, *OURS}:
                yield f"{path.name}:{node.lineno} finds {words[0]}, for which there is no sentence"


def _files(provider: Provider) -> Iterator[str]:
    logo = REPOSITORY / "static" / "providers" / f"{provider.slug}.svg"
    if not logo.is_file():
        yield f"there is no logo static/providers/{provider.slug}.svg"
    else:
        root = ElementTree.fromstring(logo.read_text(encoding="utf-8"))
        if not root.tag.endswith("svg") or not root.get("viewBox"):
            yield "its logo is no drawing that can be scaled"
    own = REPOSITORY / "templates" / "providers" / provider.slug
    slugs = {checkpoint.slug for checkpoint in provider.checklist}
    for page in sorted(own.glob("*.html")) if own.is_dir() else ():
        if page.stem.lstrip("_") == page.stem and page.stem not in slugs:
            yield f"templates/providers/{provider.slug}/{page.name} belongs to no checkpoint"


def _simulator(provider: Provider) -> Iterator[str]:
    from tests.contract.auth_methods import simulators

    found = simulators().get(provider.slug)
    if found is None:
        yield f"there is no simulator connections/sandbox/{provider.slug}"
        return
    for name in _empty(name=found.name, summary=found.summary):
        yield f"its simulator has no {name}"
    for switch in found.switches:
        for name in _empty(title=switch.title, source=switch.source):
            yield f"switch {switch.name} has no {name}"
        if len(switch.choices) < 2:
            yield f"switch {switch.name} cannot be moved"
    if any(isinstance(grant, AuthorizationCode) for grant in provider.grants) and not _has_pages(provider.slug):
        yield "its simulator has no page to consent on"


def _has_pages(slug: str) -> bool:
    sandbox = REPOSITORY / "connections" / "sandbox"
    return any(
        any(folder.rglob("*.html")) for folder in (sandbox / "templates" / slug, sandbox / slug) if folder.is_dir()
    )


def main(slugs: list[str]) -> int:
    os.environ.setdefault("PORTAL_MODE", "demo")
    os.environ.setdefault("DATABASE_URL", "postgresql://nobody@localhost/none")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    import django

    django.setup()
    from connections.providers.registry import all_providers

    found = [each for slug in slugs or all_providers() for each in complaints(all_providers()[slug])]
    sys.stdout.write("".join(f"{complaint}\n" for complaint in found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
