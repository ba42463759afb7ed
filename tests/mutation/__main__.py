"""The command: judges every mutant of the named modules, all of SUBSETS by default, and tells who survived."""

from __future__ import annotations

import argparse
import itertools
import random
import time
from collections import Counter
from pathlib import Path

from tests.mutation.judge import Judge, Report
from tests.mutation.mutants import Mutant, mutants
from tests.mutation.subsets import ENOUGH, SUBSETS

# pytest's exit codes: tests failed, were broken off at their import, or could not begin for an error of the module's.
WORDS = {0: "survived", 1: "killed", 2: "killed", 3: "killed", 4: "killed", 5: "nothing was run"}
UNBROKEN = "its tests fail though nothing is broken"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("modules", nargs="*", metavar="module", help="its name, or the end of it: egress")
    parser.add_argument("--sample", type=int, help="of each module only so many mutants, drawn")
    parser.add_argument("--seed", type=int, default=0, help="of the draw")
    options = parser.parse_args()
    chosen = [
        name
        for name in SUBSETS
        if not options.modules or name.rpartition(".")[2] in options.modules or name in options.modules
    ]
    if len(chosen) < len(options.modules):
        parser.error(f"knows {', '.join(SUBSETS)}")
    judge = Judge()
    for name in chosen:
        path = Path(*name.split(".")).with_suffix(".py")
        source = path.read_text()
        every = mutants(source)
        if options.sample and options.sample < len(every):
            every = sorted(random.Random(options.seed).sample(every, options.sample), key=lambda each: each.line)
        _judge_module(judge, name, path, source, every)


def _judge_module(judge: Judge, name: str, path: Path, source: str, every: list[Mutant]) -> None:
    started = time.monotonic()
    look = judge.look(name, SUBSETS[name])
    took: dict[str, float] = look.get("took", {})
    kills: Counter[str] = Counter()
    outcome: Counter[str] = Counter()
    line = 0
    if look["code"]:
        raise SystemExit(f"{name}: {UNBROKEN}: {look.get('failed') or look}")
    for mutant in every:
        tests = _ordered(mutant, look, kills)
        patience = 30 + 5 * sum(took[each] for each in tests)
        ended = judge.run(name, mutant.code, tests, patience) if tests else {"code": 0}
        word = WORDS.get(ended.get("code"), "died") if "late" not in ended else "timed out"
        if word == "nothing was run":
            raise SystemExit(f"{name}:{mutant.line}: none of {tests} was run")
        outcome[word] += 1
        kills.update(ended.get("failed", ()))
        if word != "killed":
            if line != (line := mutant.line):
                print(f"{path}:{line}\n    - {mutant.old}")
            print(f"    + {mutant.new}  [{word if tests else 'no test comes here'}]", flush=True)
    last = judge.run(name, compile(source, path, "exec"), sorted(took), 60 + 5 * sum(took.values()))
    if last.get("code") != 0:  # then no verdict counts
        raise SystemExit(f"{name}: {UNBROKEN}: {last}")
    score = 100 * (len(every) - outcome["survived"]) / max(len(every), 1)
    print(
        f"{name}: {len(every)} mutants, {outcome['killed']} killed, {outcome['timed out']} timed out, "
        f"{outcome['died']} died, "
        f"{outcome['survived']} survived: {score:.1f} % ({len(took)} tests, {time.monotonic() - started:.0f} s)\n",
        flush=True,
    )


def _ordered(mutant: Mutant, look: Report, kills: Counter[str]) -> list[str]:
    """Those that run the place; every test where it is run at import. Who killed before comes first, then the quickest."""
    took: dict[str, float] = look["took"]
    by_line: list[list[str]] = [look["reached"].get(str(line), []) for line in mutant.reach]
    reaching = {test for line in by_line for test in line}
    if "" in reaching:
        reaching = set(took)
    order = sorted(reaching & set(took), key=lambda test: (-kills[test], took[test]))
    spent = itertools.accumulate(took[test] for test in order)
    return [test for test, until in zip(order, spent, strict=True) if until < ENOUGH]


if __name__ == "__main__":
    main()
