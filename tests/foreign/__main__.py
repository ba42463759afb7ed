"""Trials from the command line: `python -m tests.foreign --help`. Ends with 1 where an invariant was violated."""

from __future__ import annotations

import argparse
import json
import os
import secrets
import subprocess
import sys

from tests.foreign.behaviours import BEHAVIOURS, EVERY
from tests.sandbox_server import REPOSITORY


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.foreign", description=__doc__)
    parser.add_argument("--seed", type=int, help="of the first trial; drawn unless it is given")
    parser.add_argument("--trials", type=int, help="how many, of one seed after the other (1 with a seed, else 100)")
    parser.add_argument("--provider", choices=EVERY, default="")
    parser.add_argument("--behaviour", default="", help="these alone, with commas between them")
    parser.add_argument("--list", action="store_true", help="name the behaviours, and end")
    parser.add_argument("--every", action="store_true", help="each behaviour with each provider, several in a trial")
    parser.add_argument("--single", action="store_true", help="each behaviour with each provider, one in a trial")
    parser.add_argument("--log", action="store_true", help="print what each server was asked")
    options = parser.parse_args()
    if options.list:
        for name, each in BEHAVIOURS.items():
            print(f"{name:28}{each.slot:12}{', '.join(each.providers)}")
        return
    names = [each for each in options.behaviour.split(",") if each]
    if unknown := set(names) - BEHAVIOURS.keys():
        parser.error(f"no behaviour is called {', '.join(sorted(unknown))}")
    plan = "every" if options.every else "single" if options.single else ""
    trials = options.trials or (100 if options.seed is None else 1)
    seed = options.seed if plan or options.seed is not None else secrets.randbelow(10**6)
    asked = {
        "seed": seed,
        "trials": trials,
        "provider": options.provider,
        "behaviours": names,
        "plan": plan,
        "log": options.log,
    }
    command = [sys.executable, "-m", "pytest", "tests/foreign/test_foreign.py::test_drawn", "-s", "-q", "--no-header"]
    environment = {**os.environ, "FOREIGN_TRIALS": json.dumps(asked)}
    ended = subprocess.run([*command, "--tb=no", "-p", "no:logging"], cwd=REPOSITORY, env=environment, check=False)
    sys.exit(ended.returncode)


if __name__ == "__main__":
    main()
