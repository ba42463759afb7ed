"""What the drill of the rotating tokens counts, and its table."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Figures:
    rounds: int = 0
    calls: int = 0
    answers: Counter[str] = field(default_factory=Counter)  # what callers got
    token_requests: int = 0
    refreshes: int = 0
    extra_requests: int = 0
    cuts_before: int = 0
    cuts_after: int = 0
    kills: int = 0
    holders_killed: int = 0  # processes that died while their token request was under way
    lost_by_cut: int = 0
    lost_by_kill: int = 0
    lost_otherwise: int = 0
    not_told: int = 0  # lost grants that a caller was told something else of
    wrong_words: int = 0
    asked_after_loss: int = 0
    killed_before_commit: int = 0  # the part with --holders
    loud: int = 0
    reconnects: int = 0
    broken: list[str] = field(default_factory=list)


def table(figures: Figures, seconds: float) -> str:
    lines = [
        ("rounds, of them with its holder killed", f"{figures.rounds}, {figures.killed_before_commit}"),
        ("calls answered to callers", f"{figures.calls} {dict(figures.answers.most_common())}"),
        ("token requests, of them refreshes", f"{figures.token_requests}, {figures.refreshes}"),
        ("extra token requests", figures.extra_requests),
        ("answers cut before, after rotation", f"{figures.cuts_before}, {figures.cuts_after}"),
        ("processes killed, while asking", f"{figures.kills}, {figures.holders_killed}"),
        ("grants lost by a cut answer", figures.lost_by_cut),
        ("grants lost by killing who asked", figures.lost_by_kill),
        ("grants lost otherwise", figures.lost_otherwise),
        ("killed before commit, of them loud", f"{figures.killed_before_commit}, {figures.loud}"),
        ("callers not told of a lost grant", figures.not_told),
        ("wrong words", figures.wrong_words),
        ("token requests after a loss", figures.asked_after_loss),
        ("reconnects", figures.reconnects),
        ("promises broken", len(figures.broken)),
        ("took", f"{seconds:.0f} s"),
    ]
    return "\n".join(f"{name:38} {value}" for name, value in lines)
