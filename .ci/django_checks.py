"""Django's own checks against a throw-away database: migrations complete, settings fit for production."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from portal.devserver.postgres import Postgres  # noqa: E402
from portal.devserver.state import Folders  # noqa: E402
from portal.operations import roles  # noqa: E402
from portal.operations.keys import ensure_keys  # noqa: E402


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="portal-check-") as place:
        folders = Folders(Path(place))
        folders.make()
        keys = ensure_keys(folders.state / "keys")
        # Under another name than the demo's: production refuses that one, and rightly.
        postgres = Postgres(
            folders, superuser_password=keys.password("postgres"), throw_away=True, cluster_name="portal-check"
        )
        postgres.start()
        try:
            passwords = {role: keys.password(role) for role in roles.LOGINS}
            roles.ensure_database(postgres.admin_address(), "portal")
            roles.ensure_roles(postgres.admin_address("portal"), passwords)

            def environment(process: str, role: str, **more: str) -> dict[str, str]:
                ours = {"DATABASE_URL", "BROKER_URL", "PYTHONPATH"}
                theirs = {k: v for k, v in os.environ.items() if k not in ours and not k.startswith("PORTAL_")}
                return {
                    **theirs,
                    "PORTAL_PROCESS": process,
                    "PORTAL_MODE": "production",
                    "PORTAL_ORIGIN": "https://portal.example",
                    "PORTAL_TRUSTED_PROXIES": "1",
                    "PORTAL_OWN_NETWORKS": "10.20.0.0/16",
                    "PORTAL_SMTP_URL": "smtp://portal@mail.example:587",
                    "PORTAL_MAIL_FROM": "Portal <portal@portal.example>",
                    "PORTAL_SECRET_KEY_FILE": str(keys.secret_key),
                    "PORTAL_VAR": place,
                    "BROKER_URL": "redis://broker.example:6379/0",
                    "DATABASE_URL": postgres.address(role, passwords[role]),
                    **more,
                }

            owner = environment("owner", roles.OWNER)
            web = environment("web", roles.WEB, PORTAL_WEB_KEYSET_FILE=str(keys.web_keyset))
            worker = environment("worker", roles.WORKER, PORTAL_KEK_FILE=str(keys.kek))
            deploy = ("check", "--deploy", "--fail-level", "WARNING")
            steps = (
                (owner, ("makemigrations", "--check", "--dry-run")),
                (owner, ("migrate", "--verbosity", "0")),
                (web, ("collectstatic", "--dry-run", "--noinput", "--verbosity", "0")),
                (web, (*deploy, "--database", "default")),
                (worker, (*deploy, "--database", "default")),
            )
            for surroundings, command in steps:
                sys.stdout.write(f"manage.py {' '.join(command)} as {surroundings['PORTAL_PROCESS']}\n")
                sys.stdout.flush()
                step = subprocess.run([sys.executable, "manage.py", *command], cwd=ROOT, env=surroundings)  # noqa: S603
                if step.returncode:
                    return step.returncode
        finally:
            postgres.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
