"""The benchmark of jobs runs, and every job of both contestants is done once. Its figures are nobody's here."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.sandbox_server import REPOSITORY

pytestmark = [pytest.mark.drill, pytest.mark.timeout(180)]


def test_the_benchmark_of_jobs_runs() -> None:
    command = [sys.executable, "-m", "tests.benchmarks.bench_jobs", "--short", "--jobs", "100", "--idle", "10"]
    bench = subprocess.run([*command, "--rounds", "1"], cwd=REPOSITORY, capture_output=True, text=True, timeout=170)
    assert bench.returncode == 0, bench.stdout[-2000:] + bench.stderr[-3000:]
    assert bench.stdout.splitlines()[-1].startswith("ours of Celery")
