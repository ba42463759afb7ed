"""Writes docs/providers.md from the descriptions themselves, with the test that shows each call and each list.

python -m tests.contract.providers_doc
"""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from connections.spec.checklist import Proof
    from connections.spec.grants import Grant
    from connections.spec.operations import Operation
    from connections.spec.provider import Provider
    from connections.spec.streams import Stream

REPOSITORY = Path(__file__).resolve().parents[2]
PLACE = REPOSITORY / "docs" / "providers.md"
TESTS = REPOSITORY / "tests" / "contract"
OPERATION_TEST = ("test_operations", "test_every_operation_is_answered_or_refused_as_documented")
STREAM_TEST = ("test_streams", "test_every_record_comes_once_over_all_pages")
HEAD = """# Providers

What each provider offers, what we do with it, and the test that shows it. Written by
`python -m tests.contract.providers_doc` from `connections/providers/`; a test fails when it is out of date.
"""


def document() -> str:
    """The whole page. Raises LookupError where a test that it names does not exist."""
    from django.utils import translation

    from connections.providers.registry import all_providers

    with translation.override("en"):
        parts = [part for provider in all_providers().values() for part in _provider(provider)]
        return "\n".join([HEAD, *parts])


def _provider(provider: Provider) -> Iterator[str]:
    from tests.contract.auth_methods import auth_methods_of, simulators

    is_tried = provider.slug in simulators()
    first = auth_methods_of(provider)[0]
    yield f"## {provider.name}\n\n{provider.summary}\n"
    yield "### Ways in\n"
    yield _table(
        ("Auth method", "What it is", "Client", "Session", "Begins with"),
        [_way(provider, each) for each in provider.grants],
    )
    if provider.logins or provider.activation:
        named = [f"`{login.name}`" for login in provider.logins] + (
            ["activation of several companies"] if provider.activation else []
        )
        yield f"Besides, a credential is given by: {', '.join(named)}.\n"
    yield "### What we read\n"
    shown = [
        _link(STREAM_TEST, f"{first}-{stream.name}") if is_tried else "nothing yet" for stream in provider.streams
    ]
    rows = [(*_stream(stream), test) for stream, test in zip(provider.streams, shown, strict=True)]
    yield _table(("Stream", "Call", "Pages", "Changes", "Source", "Shown by"), rows)
    yield "### What we call\n"
    test = _link(OPERATION_TEST, str(first)) if is_tried else "nothing yet"
    calls = [(*_operation(each), test) for each in provider.operations]
    yield _table(("Operation", "Call", "Sent again", "When its answer is lost", "Source", "Shown by"), calls)
    yield "### Checklist\n"
    yield _table(("Checkpoint", "Auth methods", "Proof"), [
        (f"{each.title} (`{each.slug}`)", ", ".join(each.auth_methods) or "all", _proof(each.proof))
        for each in provider.checklist
    ])  # fmt: skip
    yield "### Quotas\n"
    yield _list(
        f"{quota.calls:,} in {_span(quota.per)}, counted by {quota.counted_by.value}" for quota in provider.quotas
    )
    yield "### What its document does not say\n"
    yield _list(provider.assumptions)
    if breaks := list(_breaks(provider)):
        yield "### What would break, and how staff would see it\n"
        yield _list(breaks)


def _way(provider: Provider, grant: Grant) -> tuple[str, ...]:
    from connections.spec.grants import AuthorizationCode

    checkpoints = provider.checkpoints(grant.name)
    if isinstance(grant, AuthorizationCode):
        what, begins = "authorisation code, refresh", "a login page of the provider"
    else:
        typed = [name for checkpoint in checkpoints for name in checkpoint.fields]
        what, begins = "client credentials", ", ".join(f"`{name}`" for name in typed)
    sent = f"{what}; {grant.body.value} body"
    return f"`{grant.name}`", sent, grant.client.value, _span(grant.lifetime), begins


def _stream(stream: Stream) -> tuple[str, ...]:
    changes = "compared record by record" if stream.since is None else f"since `{stream.since.parameter}`"
    return f"{stream.label} (`{stream.name}`)", f"`{stream.operation}`", _pages(stream), changes, stream.source


def _pages(stream: Stream) -> str:
    size = getattr(stream.paging, "size", None)
    word = {"AfterId": "after the last id", "Numbered": "by number", "Offset": "by offset", "Whole": "in one answer"}
    told = word[type(stream.paging).__name__] + (f", {size} each" if size else "")
    if stream.variants:
        told += "; one pass for each of " + ", ".join(
            "&".join(f"`{name}={value}`" for name, value in variant.items()) or "no filter"
            for variant in stream.variants
        )
    return told + (f"; one list for each of `{stream.each.stream}`" if stream.each else "")


def _operation(operation: Operation) -> tuple[str, ...]:
    lost = "asked again" if operation.may_retry else "a person decides"
    if operation.look_up is not None:
        lost = f"looked up by `{operation.look_up.operation}`"
    if operation.follow_up is not None:
        lost += f"; 202 is followed up by `{operation.follow_up.operation}`"
    call = f"`{operation.method} {operation.path}`"
    return f"`{operation.name}`", call, "yes" if operation.may_retry else "no", lost, operation.source


def _proof(proof: Proof) -> str:
    from connections.spec.checklist import Attestation, Inference, LogProbe

    match proof:
        case Inference():
            return f"follows from `{proof.follows}`"
        case Attestation():
            return "a person says so"
        case LogProbe():
            return "our own log"
    return "we ask the provider"


def _breaks(provider: Provider) -> Iterator[str]:
    from tests.contract.auth_methods import auth_methods_of, simulators
    from tests.contract.expectations import BREAKS

    if provider.slug not in simulators():
        return
    switches = {switch.name: switch for switch in simulators()[provider.slug].switches}
    for auth_method in auth_methods_of(provider):
        for (name, position), code in BREAKS.get(str(auth_method), {}).items():
            choice = next(each for each in switches[name].choices if each.value == position)
            by = ", ".join(filter(None, (auth_method.grant, auth_method.wire)))
            yield f"{switches[name].title}: {choice.meaning} ({by}): `{code}`"


def _link(test: tuple[str, str], parameter: str) -> str:
    module, function = test
    tree = ast.parse((TESTS / f"{module}.py").read_text(encoding="utf-8"))
    if function not in [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]:
        message = f"there is no test {function} in {module}"
        raise LookupError(message)
    return f"[{module}](../tests/contract/{module}.py) `[{parameter}]`"


def _span(span: timedelta) -> str:
    seconds = int(span.total_seconds())
    for name, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= size and seconds % size == 0:
            count = seconds // size
            return f"{count} {name}{'s' if count > 1 else ''}"
    return f"{seconds} second{'s' if seconds > 1 else ''}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in map(str, line))} |\n" for line in lines)


def _list(lines: Iterable[object]) -> str:
    return "".join(f"- {line}\n" for line in lines)


def main() -> None:
    os.environ.setdefault("PORTAL_MODE", "demo")
    os.environ.setdefault("DATABASE_URL", "postgresql://nobody@localhost/none")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    import django

    django.setup()
    PLACE.write_text(document(), encoding="utf-8")
    sys.stdout.write(f"{PLACE.relative_to(REPOSITORY)} written\n")


if __name__ == "__main__":
    main()
