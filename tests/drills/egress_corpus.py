"""Addresses that lead inside, in as many spellings as we know, and names whose answers change their mind. From a seed."""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Iterator
from dataclasses import dataclass, field

WELL_KNOWN = (
    "127.0.0.1", "127.8.9.10", "0.0.0.0", "10.0.0.5", "172.16.3.4", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "192.0.0.192", "198.18.0.1",
)  # fmt: skip
INSIDE_6 = (
    "::1", "::", "fe80::1", "fec0::1", "fc00::1", "fd12:3456::1", "ff02::1", "ff0e::1", "64:ff9b:1::1", "2001:db8::1",
    "3fff::1", "5f00::1", "2001:20::1", "100::1", "2001:0:7f00:1::", "2001:10::1", "2001:2::1",
)  # fmt: skip
PUBLIC_4, PUBLIC_6 = "93.184.216.34", "2606:2800:220:1::34"
SECOND_4, SECOND_6 = "93.184.216.35", "2606:2800:220:1::35"
TRANSLATED_4 = "64:ff9b::5db8:d822"  # PUBLIC_4 for machines that have IPv6 alone
DEAD_4 = "45.33.7.7"  # public, and nobody is there
THIEF_4 = "151.101.1.6"  # public, and nothing of ours belongs there
THIEF = "thief.example"
PORTS = (1, 22, 25, 53, 80, 110, 139, 389, 445, 636, 993)
FREE_PORTS = (1433, 2375, 3306, 5432, 6379, 8000, 8080, 8443, 9200, 11211, 27017, 65535)


@dataclass(frozen=True)
class Answers:
    """What a name server says to one look-up: addresses of both kinds, behind another name where `alias` is given."""

    v4: tuple[str, ...] = ()
    v6: tuple[str, ...] = ()
    alias: str = ""


@dataclass(frozen=True)
class Attempt:
    """`script`: the answers to look-up after look-up of the host, the last for ever. `is_public`: what may be reached."""

    url: str
    script: tuple[Answers, ...] = ()
    given: bool = False
    plain: bool = False
    location: str = ""
    status: int = 200
    refresh: str = ""
    tags: tuple[str, ...] = field(default=())


def spellings(ip: str, chance: random.Random) -> Iterator[str]:
    """One IPv4 address as resolvers, browsers and libraries have been known to take it."""
    a, b, c, d = (int(part) for part in ip.split("."))
    number = int(ipaddress.ip_address(ip))
    low, mid = (c << 8) | d, (b << 16) | (c << 8) | d
    yield ip
    yield f"{ip}."
    yield f"{ip}:443"
    yield str(number)
    yield f"{number}."
    yield hex(number)
    yield f"0X{number:08X}"
    yield f"0{number:o}"
    yield f"{number + 2**32}"
    yield f"{a}.{b}.{low}"
    yield f"{a}.{mid}"
    yield f"0x{a:x}.{mid}"
    yield ".".join(f"0x{part:02x}" for part in (a, b, c, d))
    yield ".".join(f"0{part:o}" for part in (a, b, c, d))
    yield ".".join(f"{part:03d}" for part in (a, b, c, d))
    yield f"0x{a:x}.0{b:o}.{c}.{d}"
    yield f"{a + 256}.{b}.{c}.{d}"
    yield ip.replace(".", "%2e")
    yield ip.replace(".", "\uff0e")
    yield ip.replace(".", "\u3002")
    yield ip.replace(".", "\uff61")
    yield "".join(chr(0xFF10 + int(each)) if each.isdigit() else each for each in ip)
    yield "".join(chr(0x2460 + int(each) - 1) if each in "123456789" else each for each in ip)
    yield "".join(chr(0x1D7D8 + int(each)) if each.isdigit() else each for each in ip)
    yield f"[{ip}]"
    yield f"{ip}%00.example"
    yield f"{ip}.{chance.choice(['wild', 'nip', 'ip'])}.rebind.example"
    hexed = f"{a:02x}{b:02x}:{c:02x}{d:02x}"
    for literal in (
        f"::ffff:{ip}", f"::ffff:{hexed}", f"0:0:0:0:0:FFFF:{hexed}", f"::{ip}", f"::ffff:0:{ip}", f"64:ff9b::{hexed}",
        f"64:ff9b:1::{hexed}", f"2002:{hexed}::1", f"2001:0:{hexed}::1", f"fe80::5efe:{hexed}", f"::ffff:{hexed}%25lo",
    ):  # fmt: skip
        yield f"[{literal}]"


def hostile_urls(chance: random.Random) -> list[Attempt]:
    """More than 400; each must be refused, and nobody may see a connection."""
    made = [f"10.{chance.randrange(256)}.{chance.randrange(256)}.{chance.randrange(1, 255)}" for _ in range(2)]
    made.append(f"192.168.{chance.randrange(256)}.{chance.randrange(1, 255)}")
    urls: list[Attempt] = []
    for ip in (*WELL_KNOWN, *made):
        for spelled in spellings(ip, chance):
            given, plain = chance.random() < 0.5, chance.random() < 0.3
            scheme = "http" if plain else chance.choice(["https", "HTTPS", "https"])
            urls.append(Attempt(f"{scheme}://{spelled}/x", (), given, plain, tags=(ip,)))
    for ip in INSIDE_6:
        for literal in (ip, ip.upper(), ipaddress.ip_address(ip).exploded, f"{ip}%25lo", f"{ip}%lo"):
            urls.append(Attempt(f"https://[{literal}]/", given=True, plain=True))
    for url in (*_tricks(chance), *_schemes()):
        urls.append(Attempt(url, given=chance.random() < 0.5, plain=chance.random() < 0.5))
    urls += [Attempt(f"https://public.example:{port}/", given=True) for port in (*PORTS, 0, 65536, -1)]
    urls += [Attempt(f"https://public.example:{port}/", given=False) for port in FREE_PORTS]
    urls += [Attempt(f"http://public.example:{port}/", plain=True) for port in (443, 8080)]
    return urls


def _tricks(chance: random.Random) -> Iterator[str]:
    inside = chance.choice(["127.0.0.1", "10.0.0.5", "169.254.169.254"])
    for name in ("localhost", "LOCALHOST", "localhost.", "ip6-localhost", "metadata.internal.example"):
        yield f"https://{name}/"
    for between in ("@", ":x@", "\\@", "%40x@", "#@", "/@", "\\", "\t@", "\r\n@", "%0d%0a@", "\uff20"):
        if between not in ("/@",):
            yield f"https://public.example{between}{inside}/"
            yield f"https://{inside}{between}public.example/"
    for gap in ("\t", "\n", "\r", "\x00", " ", "\x0b", "\xa0", "\u200b\u2028", "\u3000"):
        yield f"https://{gap}{inside}/"
        yield f"https://public.example{gap}.{inside}/"
        yield f"{gap}https://{inside}/"
    for path in ("/a b", "/a\r\nHost: inside", "/\x00", "/a\tb", "/\\\\inside", "/#fragment", "#"):
        yield f"https://public.example{path}"
    for host in (
        "", ".", "..", "a..b", "-a.example", "a-.example", ".public.example", "public.example..", f"{'a' * 64}.example",
        ".".join(["a" * 60] * 5), "a" * 254, "public,example", "public example", "*.example", "public.example%2f",
        "\u2488.example\u2024", "xn--\u00e9.example", "[public.example]", "[::1", "::1", "::1]", "[]", "[::1].example",
        "[2606:2800::1].thief.example", "[2606:2800::1]x", "[v1.fe80]", "public.example:", "public.example:80:443",
        "public.example:443x", "public.example:\u0664\u0664\u0663", "public.example:+443", "public.example: 443",
        "1.2.3", "1", "0", "0x", "08.8.8.8", "8.8.8.8.8", "999.1.1.1", "4294967296", "a.1", "a.0x1",
    ):  # fmt: skip
        if host != "public.example:":
            yield f"https://{host}/"


def _schemes() -> Iterator[str]:
    for scheme in (
        "ftp",
        "file",
        "gopher",
        "dict",
        "ldap",
        "ws",
        "wss",
        "tftp",
        "sftp",
        "jar",
        "unix",
        "http+unix",
        "ssh",
    ):
        yield f"{scheme}://public.example/"
    yield from (
        "", "/", "//public.example/", "///public.example/", "public.example", "public.example:443", "https:", "https:/",
        "https://", "https:///public.example/", "https:public.example", "https:/public.example", "https:\\\\public.example",
        "https//public.example", ":https://public.example", "javascript:alert(1)", "data:text/plain,x", "file:///etc/passwd",
        "file:/etc/passwd", "mailto:a@public.example", "view-source:https://public.example", "blob:https://public.example/",
        "http\x00s://public.example/", "hTTps\t://public.example/", "ht\ntps://127.0.0.1/",
    )  # fmt: skip


def inside(chance: random.Random) -> tuple[str, bool]:
    """An inner address, and whether it is one of version 6."""
    if chance.random() < 0.4:
        ip = chance.choice([*INSIDE_6, *(f"::ffff:{each}" for each in WELL_KNOWN), "64:ff9b::a00:5", "2002:a00:5::1"])
        return ip, True
    return chance.choice(WELL_KNOWN), False


def rebinding(number: int, chance: random.Random) -> Attempt:
    """A name that is public at one look-up and leads inside at another, or does both at once."""
    ip, is_six = inside(chance)
    bad = Answers(v6=(ip,)) if is_six else Answers(v4=(ip,))
    good = Answers(v4=(PUBLIC_4,), v6=(PUBLIC_6,) if chance.random() < 0.5 else ())
    crowd = [PUBLIC_4, SECOND_4, *(f"93.184.216.{each}" for each in range(40, 40 + chance.randrange(20)))]
    if not is_six:
        crowd.insert(chance.randrange(len(crowd) + 1), ip)
    mixed = Answers(tuple(crowd), (ip,) if is_six else ((PUBLIC_6,) if chance.random() < 0.3 else ()))
    hidden = Answers(bad.v4, bad.v6, alias=chance.choice(["public.example", "inner.rebind.example"]))
    scripts = [
        (good, bad), (good, good, bad), (bad, good), (bad,), (mixed,), (good, mixed), (mixed, good), (good, bad, good),
        (hidden,), (good, hidden), (Answers(), bad), (bad, Answers(), good, bad),
    ]  # fmt: skip
    return Attempt(f"https://r{number}.rebind.example/r", scripts[number % len(scripts)], given=chance.random() < 0.5)


def redirect(number: int, chance: random.Random) -> Attempt:
    """An honest-looking host that sends us on: inside, to a thief, to plain HTTP, to what no address is."""
    urls = [each.url for each in _insides(chance)]
    elsewhere = [
        f"https://{THIEF}/", f"//{THIEF}/", f"http://{THIEF}/", f"https://{THIEF_4}/", f"https:/\\{THIEF}/",
        f"https://public.example@{THIEF}/", "http://public.example/plain", "/other", "?x=1", "", "https://[::1",
        f"https://{THIEF}/{'x' * 9_000}", "https://r0.rebind.example/", "gopher://10.0.0.5:6379/_x", "\tjavascript:x",
    ]  # fmt: skip
    location = chance.choice(urls) if chance.random() < 0.5 else chance.choice(elsewhere)
    status = chance.choice([300, 301, 302, 303, 305, 307, 308, 200])
    refresh = f"0; url={location}" if status == 200 or chance.random() < 0.2 else ""
    return Attempt(f"https://public.example/redirect/{number}", location=location, status=status, refresh=refresh)


def _insides(chance: random.Random) -> Iterator[Attempt]:
    for ip in WELL_KNOWN:
        yield Attempt(f"{chance.choice(['https', 'http'])}://{chance.choice(list(spellings(ip, chance)))}/")
    for ip in INSIDE_6:
        yield Attempt(f"https://[{ip}]/")


def honest() -> list[Attempt]:
    """Every one must be reached."""
    good = Answers((PUBLIC_4,), (PUBLIC_6,))
    many = Answers((PUBLIC_4, SECOND_4), (PUBLIC_6, SECOND_6))
    names = {
        "public.example": good,
        "four.honest.example": Answers((PUBLIC_4,)),
        "six.honest.example": Answers((), (PUBLIC_6,)),
        "many.honest.example": many,
        "alias.honest.example": Answers((PUBLIC_4,), alias="public.example"),
        "translated.honest.example": Answers((), (TRANSLATED_4,)),
        "half-dead.honest.example": Answers((DEAD_4, PUBLIC_4)),
        "1.honest.example": good,
        "0x1.honest.example": good,
        "10.0.0.5.honest.example": good,
        "localhost.honest.example": good,
        f"{'a' * 63}.honest.example": good,
        ".".join(["b" * 60] * 3) + ".honest.example": good,
        "xn--bcher-kva.honest.example": good,
    }
    urls = [
        Attempt(f"https://{name}{path}", (answers,)) for name, answers in names.items() for path in ("", "/", "/a?b=c")
    ]
    spelled = [
        "https://PUBLIC.Example/", "https://public.example./", "https://public.example:443/", "https://public.example:/",
        "HTTPS://public.example/", "https://b\u00fccher.honest.example/", "https://B\u00dcCHER.honest.example/",
        "https://four\u3002honest\u3002example/", f"https://{PUBLIC_4}/", f"https://[{PUBLIC_6}]/", f"https://[{PUBLIC_6.upper()}]/",
        f"https://[::ffff:{PUBLIC_4}]/", f"https://[{TRANSLATED_4}]/", "https://public.example/%2e%2e/%00/a%20b", "https://public.example/\u00e4?q=\u00f6",
        "https://public.example/a@b", "https://public.example/?u=https://127.0.0.1/",
    ]  # fmt: skip
    urls += [Attempt(url) for url in spelled]
    urls += [Attempt(f"https://public.example:{port}/", given=True) for port in (8443, 8080, 65535)]
    urls += [Attempt("http://public.example/", plain=True), Attempt("http://public.example:80/x", plain=True)]
    urls += [Attempt("http://under_score.honest.example/", (good,), plain=True)]
    urls += [Attempt("http://public.example:8080/", given=True, plain=True)]
    return urls
