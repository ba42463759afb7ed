"""README's "Run it for real" on a machine that has nothing: every line of it, then a customer's journey over TLS.

    python -m tests.drills.fresh_machine --root FOLDER --wheels FOLDER

As root, with mmdebstrap. A Debian is made in the folder (or the one that is there is used again), its own systemd is started
in namespaces of their own, whose network is a loopback alone, and a shell in there is given README's lines as they stand.
What an operator must make up is made up: passwords, a certificate, the mail server. With --wheels, a folder that `pip
download -r requirements.lock -r requirements-uv.lock` filled, nothing is fetched. Ends with 1 where a line fails, a
unit does not run, or the customer does not get through.
"""

from __future__ import annotations

import argparse
import os
import pty
import quopri
import re
import secrets
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
SUITE = "trixie"
# A machine that somebody installed, and a mail server that is none of ours.
BASE = ("systemd", "systemd-sysv", "dbus", "ca-certificates", "openssl", "iproute2", "python3-aiosmtpd")
NAMES = ("portal.example", "mail.example")
MAIL_USER, MAIL_PASSWORD = "portal", secrets.token_hex(12)
LINE_SECONDS = 300  # no line of README's is silent for so long, on any machine
STARTED_SECONDS = 180
SAME_FOR = re.compile(r"#.*the same for ([\w, ]+)")
UNITS = ["web", "worker@interactive", "worker@sync", "worker@exports", "worker-mail", "beat"]

# Where a container's init expects them; what is mounted here is gone with the namespace.
INIT = """
set -e
root=$0
mount --make-rprivate /
mount --bind $root $root
mount -t proc proc $root/proc
mount -t sysfs -o ro sysfs $root/sys
mount -t tmpfs tmpfs $root/sys/fs/cgroup || true
mount -t cgroup2 cgroup2 $root/sys/fs/cgroup
for each in run tmp dev; do mount -t tmpfs -o mode=755 tmpfs $root/$each; done
chmod 1777 $root/tmp
for each in null zero full random urandom tty; do touch $root/dev/$each; mount --bind /dev/$each $root/dev/$each; done
mkdir $root/dev/pts $root/dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts $root/dev/pts
ln -s pts/ptmx $root/dev/ptmx
mount -t tmpfs tmpfs $root/dev/shm
ip link set lo up
hostname portal
mkdir -p $root/.outside
cd $root
pivot_root . .outside
umount -l /.outside
exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin /sbin/init
"""

MAIL_SERVER = """
import asyncio, os, ssl, time
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
class Kept:
    async def handle_DATA(self, server, session, envelope):
        with open(f"/var/mail/fresh/{time.time_ns()}", "wb") as file: file.write(envelope.content)
        return "250 kept"
def lets_in(server, session, envelope, mechanism, data):
    return AuthResult(success=(data.login, data.password) == (b"USER", b"PASSWORD"))
context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain("/etc/ssl/mail.example.pem", "/etc/ssl/private/mail.example.key")
Controller(Kept(), hostname="127.0.0.1", port=587, tls_context=context, require_starttls=True,
    authenticator=lets_in, auth_required=True).start()
asyncio.new_event_loop().run_forever()
"""


def section() -> str:
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    return text.split("\n## Run it for real\n")[1].split("\n## ")[0]


def commands(part: str) -> list[str]:
    """README's indented lines; the packages are none of them, as they come with the machine."""
    steps = re.findall(r"^ {4,7}(?! |\d\. )(.*)$|^( {7} +\S.*)$", part, re.MULTILINE)
    lines = [(first or second[7:]).rstrip() for first, second in steps]
    return [line for line in lines if line and not line.startswith("apt-get install ")]


def packages() -> list[str]:
    return re.findall(r"apt-get install (.+)", section())[0].split()  # type: ignore[no-any-return]


def setup_lines() -> list[str]:
    return commands(section().split("**Back it up.**")[0])


def operator_lines(lines: list[str], passwords: dict[str, str]) -> Iterator[str]:
    """The lines with what an operator types in place of PASSWORD and USER; one that is "the same for" others, for each."""
    for line in lines:
        same = SAME_FOR.search(line)
        first = re.search(r"portal_(\w+):PASSWORD", line)
        names = [first[1], *re.split(r", ", same[1])] if first and same else [""]
        for name in names:
            each = (
                line.replace(f"portal_{first[1]}", f"portal_{name}").replace(f"{first[1]}.", f"{name}.")
                if first
                else line
            )
            each = each.replace("PASSWORD@localhost", f"{passwords.get(name, '')}@localhost")
            yield each.replace("USER:PASSWORD@mail", f"{MAIL_USER}:{MAIL_PASSWORD}@mail")


class Machine:
    """A Debian of its own. `wheels`: packages for pip, or None where it can be asked for them."""

    def __init__(self, root: Path, wheels: Path | None) -> None:
        self.root, self.wheels = root, wheels
        self.init = 0

    def make(self) -> None:
        if not (self.root / "etc" / "debian_version").exists():
            include = ",".join((*BASE, *packages()))
            subprocess.run(["mmdebstrap", "--variant=apt", f"--include={include}", SUITE, str(self.root)], check=True)
        program = self.root / "opt" / "pilotage"
        program.mkdir(parents=True)
        changed = subprocess.run(
            ["git", "stash", "create"], cwd=REPOSITORY, capture_output=True, text=True, check=True
        )
        state = changed.stdout.strip() or "HEAD"  # what is tracked, as it stands here
        archive = subprocess.run(["git", "archive", state], cwd=REPOSITORY, stdout=subprocess.PIPE, check=True).stdout
        subprocess.run(["tar", "-x", "-C", str(program)], input=archive, check=True)
        hosts = "".join(f"127.0.0.1 {name}\n" for name in ("localhost", "portal", *NAMES))
        (self.root / "etc" / "hosts").write_text(hosts)
        (self.root / "var" / "mail" / "fresh").mkdir(parents=True)
        if self.wheels is not None:
            shutil.copytree(self.wheels, self.root / "srv" / "wheels")

    def start(self) -> None:
        groups = next(
            each for each in ("/sys/fs/cgroup/unified", "/sys/fs/cgroup") if Path(each, "cgroup.procs").exists()
        )
        group = Path(groups, f"fresh-{os.getpid()}")
        group.mkdir()
        kinds = ["--mount", "--pid", "--ipc", "--uts", "--net", "--cgroup", "--fork", "--kill-child"]
        command = f"echo $$ > {group}/cgroup.procs; exec unshare {' '.join(kinds)} sh -c '{INIT}' {self.root}"
        self.process = subprocess.Popen(["sh", "-c", command], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        begun = time.monotonic()
        while time.monotonic() < begun + STARTED_SECONDS:
            time.sleep(1)
            if children.exists() and (pids := children.read_text().split()):
                self.init = int(pids[0])
                state = self.run("systemctl is-system-running", check=False)
                if state.strip() in ("running", "degraded"):
                    return
        sys.exit("FAILED: its systemd did not start")

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()

    def inside(self, *words: str) -> list[str]:
        kinds = ["--mount", "--pid", "--ipc", "--uts", "--net", "--cgroup"]
        path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        offline = ["PIP_NO_INDEX=1", "PIP_FIND_LINKS=/srv/wheels", "UV_OFFLINE=1", "UV_FIND_LINKS=/srv/wheels"]
        variables = [path, "HOME=/root", "LANG=C.UTF-8", "TERM=dumb", *(offline if self.wheels else [])]
        return ["nsenter", "--target", str(self.init), *kinds, "env", "-i", *variables, *words]

    def run(self, line: str, *, check: bool = True) -> str:
        done = subprocess.run(self.inside("bash", "-c", line), capture_output=True, text=True, timeout=LINE_SECONDS)
        if check and done.returncode:
            sys.exit(f"FAILED: {line}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        return done.stdout

    def type_in(self, lines: list[str], replies: list[tuple[str, str]]) -> str:
        """The lines in one shell at a terminal, and what a person answers to each question, by what it ends with."""
        script = Path(self.root, "srv", "lines.sh")
        script.write_text("set -e\nset -o pipefail\n" + "\n".join(lines) + "\n")
        child, terminal = pty.fork()
        if child == 0:
            words = self.inside("bash", "-x", "/srv/lines.sh")
            os.execvp(words[0], words)
        text, asked_until, waiting = "", 0, list(replies)
        while True:
            if not select.select([terminal], [], [], LINE_SECONDS)[0]:
                sys.exit(f"FAILED: nothing more came after\n{text[-2000:]}")
            try:
                data = os.read(terminal, 4096)
            except OSError:
                break
            if not data:
                break
            text += data.decode(errors="replace")
            if waiting and re.search(waiting[0][0], text[asked_until:]):
                asked_until = len(text)
                os.write(terminal, waiting.pop(0)[1].encode() + b"\n")
        _pid, status = os.waitpid(child, 0)
        if os.waitstatus_to_exitcode(status) or waiting:
            sys.exit(f"FAILED, with {len(waiting)} answers that nobody asked for:\n{text[-4000:]}")
        return text

    def certify(self) -> None:
        """An authority of its own, as strict as Python 3.13 wants it, and what an operator brings: certificates."""
        lines = [
            "cd /etc/ssl",
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj '/CN=Fresh authority'"
            " -addext keyUsage=critical,keyCertSign,cRLSign"
            " -keyout private/ca.key -out ca.pem 2>/dev/null",
            "cp ca.pem /usr/local/share/ca-certificates/fresh.crt && update-ca-certificates >/dev/null 2>&1",
        ]
        for name in NAMES:
            lines += [
                f"openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN={name}"
                f" -keyout private/{name}.key -out {name}.csr 2>/dev/null",
                f"openssl x509 -req -in {name}.csr -CA ca.pem -CAkey private/ca.key -CAcreateserial -days 20 -out {name}.pem"
                f" -extfile <(printf 'subjectAltName=DNS:{name}\\nauthorityKeyIdentifier=keyid\\n') 2>/dev/null",
            ]
        self.run("set -e; " + "; ".join(lines))

    def mail_server(self) -> None:
        program = MAIL_SERVER.replace("USER", MAIL_USER).replace("PASSWORD", MAIL_PASSWORD)
        Path(self.root, "srv", "mail_server.py").write_text(program)
        self.run("systemd-run --quiet --unit fresh-mail /usr/bin/python3 /srv/mail_server.py")

    def wait(self, line: str, what: str, seconds: float = STARTED_SECONDS) -> float:
        """Until the line ends with 0; after how many seconds."""
        begun = time.monotonic()
        while subprocess.run(self.inside("bash", "-c", line), capture_output=True).returncode:
            if time.monotonic() > begun + seconds:
                sys.exit(f"FAILED: {what}\n{self.run('journalctl --no-pager -n 40 -u pilotage-*', check=False)}")
            time.sleep(0.5)
        return time.monotonic() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--wheels", type=Path)
    options = parser.parse_args()
    if os.geteuid() or shutil.which("mmdebstrap") is None:
        sys.exit("needs root and mmdebstrap")
    machine = Machine(options.root.resolve(), options.wheels)
    machine.make()
    machine.start()
    try:
        machine.certify()
        machine.mail_server()
        passwords = {name: secrets.token_hex(12) for name in ("owner", "web", "worker", "backup")}
        asked = [(r"(password|again)[^\n]*: $", word) for name in passwords for word in (passwords[name],) * 2]
        lines = list(operator_lines(setup_lines(), passwords))
        begun = time.monotonic()
        machine.type_in(lines, asked)
        print(f"{len(lines)} lines of README's in {time.monotonic() - begun:.0f} s")
        for unit in UNITS:
            machine.wait(f"systemctl is-active --quiet pilotage-{unit}", f"{unit} does not run")
        ready = machine.wait(
            "python3 -c 'import urllib.request as u; u.urlopen(\"http://127.0.0.1:8000/health/background\")'",
            "not every queue is worked off",
        )
        print(f"every process at work {ready:.0f} s later; {memory(machine)}")
        customer(machine)
        print("every line went through, and the customer did")
    finally:
        machine.stop()


def customer(machine: Machine) -> None:
    """What `manage bootstrap` asks for, and then the people whose links it prints, or mails."""
    answers = [
        ("ada@pilotage.example", "e-mail address, as"),
        ("Aamu Oy", "Name of"),
        ("", "short name"),
        ("alice@aamu.example", "its owner"),
    ]
    function = next(line for line in setup_lines() if line.startswith("manage()"))
    text = machine.type_in(
        [function, "manage bootstrap"], [(f"{question}.*: $", reply) for reply, question in answers]
    )
    links = re.findall(r"https://portal\.example/\S+", text)
    begun = time.monotonic()
    while len(links) < 3 and time.monotonic() < begun + STARTED_SECONDS:
        time.sleep(1)
        mails = [quopri.decodestring(path.read_bytes()).decode() for path in machine.root.glob("var/mail/fresh/*")]
        links = [
            *re.findall(r"https://portal\.example/\S+", "\n".join(mails)),
            *re.findall(r"https://portal\.example/\S+", text),
        ]
    by_kind = [
        next((link for link in links if kind in link), "")
        for kind in ("/password/", "/invitations/", "/second-factor/")
    ]
    if not all(by_kind):
        sys.exit(f"FAILED: links are missing: {text}")
    program = [
        sys.executable,
        "-m",
        "tests.drills.fresh_customer",
        str(machine.root / "etc" / "ssl" / "ca.pem"),
        *by_kind,
    ]
    network = ["nsenter", "--target", str(machine.init), "--net"]
    if subprocess.run([*network, *program], cwd=REPOSITORY, timeout=LINE_SECONDS).returncode:
        sys.exit(machine.run("journalctl --no-pager --output cat -n 30 -u 'pilotage-*'", check=False))


def memory(machine: Machine) -> str:
    """Resident sizes of the portal's own processes, in MB, each by its unit."""
    words = []
    for unit in UNITS:
        pids = machine.run(
            f"cat /sys/fs/cgroup/system.slice/*{unit.replace('@', '*')}.service/cgroup.procs /sys/fs/cgroup/"
            f"system.slice/*/pilotage-{unit}.service/cgroup.procs 2>/dev/null | sort -u || true"
        ).split()
        pss = [
            int(found[1])
            for pid in pids
            if (found := re.search(r"Pss: +(\d+)", machine.run(f"cat /proc/{pid}/smaps_rollup", check=False)))
        ]
        words.append(f"{unit} {sum(pss) / 1024:.0f}")
    return "MB of each unit: " + ", ".join(words)


if __name__ == "__main__":
    main()
