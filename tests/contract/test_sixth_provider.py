"""A sixth provider is folders of files of its own and nothing else: the contract finds it by itself and holds it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kinds import starts_processes

pytestmark = pytest.mark.timeout(930)  # a whole contract is run inside, and only what hangs is ended

REPOSITORY = Path(__file__).resolve().parents[2]
PIECES = REPOSITORY / "tests" / "contract" / "sixth"
SLUG = "kuvitelma"
OWN = (
    f"connections/providers/{SLUG}/",
    f"tests/contract/conditions/{SLUG}.py",
    f"connections/sandbox/{SLUG}/",
    f"templates/providers/{SLUG}/",
    f"static/providers/{SLUG}.svg",
)


def run(where: Path, *command: str, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **more}
    return subprocess.run(command, cwd=where, env=environment, capture_output=True, text=True, timeout=900)


def git(where: Path, *arguments: str) -> str:
    done = run(where, "git", "-c", "user.name=A", "-c", "user.email=a@b.example", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
@starts_processes
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what is kept in git, committed, with the sixth provider's files put beside it."""
    copy = tmp_path_factory.mktemp("sixth")
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=REPOSITORY, capture_output=True, text=True, check=True,
    )  # fmt: skip
    for name in listed.stdout.split("\0"):
        source = REPOSITORY / name
        if name and source.is_file() and not source.is_symlink():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, copy / name)
    git(copy, "init", "--quiet")
    git(copy, "add", "--all", "--force")
    git(copy, "commit", "--quiet", "--message", "Before")
    shutil.copytree(PIECES, copy, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / ".venv").symlink_to(REPOSITORY / ".venv")
    return copy


def changed(tree: Path) -> list[str]:
    """Paths that differ from the commit or are new, `.venv` and Python's caches aside."""
    lines = git(tree, "status", "--porcelain", "--untracked-files=all").splitlines()
    return [line[3:] for line in lines if not line.endswith(".venv") and "__pycache__" not in line]


def test_nothing_but_its_own_files_is_added(tree: Path) -> None:
    paths = changed(tree)
    assert paths
    assert [path for path in paths if not path.startswith(OWN)] == []
    assert git(tree, "diff", "--stat") == "", "a file that stood there before was changed"


@pytest.mark.timeout(930)
def test_the_contract_holds_it(django_db_setup: None, tree: Path) -> None:
    done = run(
        tree, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/contract", "-k", SLUG,
        PORTAL_TEST_DATABASE="test_sixth",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-5000:]
    told = done.stdout.splitlines()[-1]
    assert int(told.split(" passed")[0].split()[-1]) > 20, told
    assert "skipped" not in told


def without(path: str) -> Callable[[Path], None]:
    def take(tree: Path) -> None:
        found = tree / path
        shutil.rmtree(found) if found.is_dir() else found.unlink()

    return take


def reworded(path: str, old: str, new: str) -> Callable[[Path], None]:
    def change(tree: Path) -> None:
        text = (tree / path).read_text()
        assert old in text
        (tree / path).write_text(text.replace(old, new))

    return change


@pytest.mark.parametrize(
    ("take", "said"),
    [
        (lambda tree: None, ""),
        (without(f"static/providers/{SLUG}.svg"), "no logo"),
        (without(f"connections/sandbox/{SLUG}"), "no simulator"),
        (
            reworded(f"connections/providers/{SLUG}/provider.py", '"things.list", "GET"', '"things.lost", "GET"'),
            "reads things.list, which is no operation",
        ),
        (
            reworded(f"connections/providers/{SLUG}/faults.py", '    "access",\n', '    "nowhere",\n'),
            "leads to nowhere, which is no checkpoint",
        ),
        (
            reworded(f"connections/providers/{SLUG}/checklist.py", 'ask("me")', 'ask("us")'),
            "asks us, which is no operation",
        ),
    ],
    ids=["whole", "logo", "simulator", "operation", "checkpoint", "probe"],
)
def test_a_missing_piece_is_missed(tree: Path, take: Callable[[Path], None], said: str) -> None:
    take(tree)
    try:
        done = run(tree, sys.executable, "-m", "tests.contract.completeness", SLUG)
    finally:
        shutil.copytree(PIECES, tree, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    assert done.returncode == (1 if said else 0), done.stdout + done.stderr
    assert said in done.stdout, done.stdout + done.stderr
