"""The second safeguard of everything that is logged: takes the live secrets themselves out, however they are written.

The first safeguard is that nothing secret is handed to a log at all. This one knows the exact values that this process has
lately revealed, and finds them in plain, URL-encoded (once or more), base64 and base64url (wherever they begin), hex,
JSON-escaped and HTML-escaped form; and it takes out whatever stands behind a name that sounds like a secret.
"""

from __future__ import annotations

import base64
import html
import itertools
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from connections.spec import json_numbers
from connections.vault.secret import DOTS, lately_revealed

SHORTEST = 4  # characters; what is shorter stands everywhere
SHORTEST_ENCODED = 6  # the same, of the part of an encoding that does not depend on what stands around it
LONGEST_TEXT = 32 * 1024
ROUNDS = 4  # of decoding: an address within an address within JSON
WITHHELD = "(withheld: a secret was found in this text and could not be taken out)"

# Sentry's list, and what OAuth adds to it.
_NAME = (
    r"(?:pass(?:word|wd|phrase)?|pwd|secret|api[-_]?key|auth(?:orization|enticate)?(?![a-z])|credentials?"
    r"|private[-_]?key|token|bearer|cookie|session[-_]?(?:id|key)|verifier)"
)
# Each repetition takes all it can for good (`*+`), and a quote that is never closed holds all that follows: looked for
# anew behind every name, its end would cost the square of the text's length.
_VALUE = (
    r"""\\*+"(?:[^"\\]|(?s:\\.))*+(?:"|\\?\Z)|\\*+'(?:[^'\\]|(?s:\\.))*+(?:'|\\?\Z)"""
    r"""|(?:bearer|basic|token)\s++[^\s,;"'()\[\]{}]+|[^\s,;&"'()\[\]{}]+"""
)
_NAMED = re.compile(rf"""(?i)((?<![a-z])[\w.-]{{0,40}}{_NAME}[\w-]{{0,40}}\\*+["']?\s*+(?:=>|[:=])\s*+)(?:{_VALUE})""")
_SCHEME = re.compile(r"(?i)\b((?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{8,}")
_IN_ADDRESS = re.compile(r"""(?i)([?&](?:code|state|key|sig(?:nature)?)=)[^&\s"'<>]+""")
_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)

# Never begun in its middle and never given back in part: a long run would cost the square of its length.
_RUN = r"(?<!\\)\\++"
_UNICODE = re.compile(rf"{_RUN}u([0-9a-fA-F]{{4}})")
_OCTET = re.compile(rf"{_RUN}x([0-9a-fA-F]{{2}})")
_ESCAPED = re.compile(r"""\\+(["'/\\])""")
_NUMBER = re.compile(r"(?<=&#)0*([0-9]{1,10})[0-9]*")  # the rest changes nothing: no character has such a number
_URL_SAFE = str.maketrans("-_", "+/")


def redact(text: str) -> str:
    """The text without any live secret, and without what stands behind the name of one. 32 kB of it at most."""
    text = without_live(text[:LONGEST_TEXT])
    if text == WITHHELD:
        return text
    text = _PRIVATE_KEY.sub(DOTS, text)
    text = _NAMED.sub(rf"\g<1>{DOTS}", text)
    text = _SCHEME.sub(rf"\g<1>{DOTS}", text)
    return _IN_ADDRESS.sub(rf"\g<1>{DOTS}", text)


def holds_live(text: str) -> bool:
    """Whether a live secret stands in a text, such as one that a provider sent back to us."""
    return bool(_live_in(text))


def without_live(text: str) -> str:
    """The text without any live secret; everything else in it stays."""
    live = _live_in(text)
    for value in live:
        for pattern in _patterns(value):
            text = pattern.sub(_dots, text)
    return WITHHELD if live and any(map(_searching(text), live)) else text


def data_without_live(data: Any) -> Any:
    """JSON's lists, objects and texts without any live secret."""
    if isinstance(data, str):
        return without_live(data)
    if isinstance(data, Mapping):
        return {data_without_live(name): data_without_live(value) for name, value in data.items()}
    return [data_without_live(each) for each in data] if isinstance(data, list | tuple) else data


def _live_in(text: str) -> list[str]:
    """The longest first. No form of a secret is shorter than the secret itself."""
    live = [value for value in lately_revealed() if SHORTEST <= len(value) <= len(text)]
    return sorted(filter(_searching(text), live), key=len, reverse=True) if live else []


def _searching(text: str) -> Callable[[str], bool]:
    """Tells, fast, whether a value stands in the text in any of its forms."""
    views = [text]
    for start in (text, text.replace("+", " ")):
        view = start
        for _ in range(ROUNDS):
            decoded = _decoded(view)
            if decoded == view:
                break
            view = decoded
            views.append(view)
        views.append(view)
    views = list(dict.fromkeys(views))
    # An escape may have taken a backslash of the value with it.
    bare_views = [view.replace("\\", "") for view in views]
    as_hex = [view.lower() for view in views]
    as_base64 = [view.translate(_URL_SAFE) for view in views]

    def holds(value: str) -> bool:
        bare = value.replace("\\", "")
        return (
            any(value in view for view in views)
            or (len(value) > len(bare) >= SHORTEST and any(bare in view for view in bare_views))
            or any(_hex(value) in view for view in as_hex)
            or any(core in view for core in _cores(value) for view in as_base64)
        )

    return holds


def _decoded(text: str) -> str:
    if "\\" in text:
        text = _UNICODE.sub(lambda match: chr(int(match[1], 16)), text)
        text = _OCTET.sub(r"%\1", text)
        text = _ESCAPED.sub(r"\1", text)
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")  # pairs become one character
    # Python reads no number of thousands of digits.
    return html.unescape(_NUMBER.sub(r"\1", unquote(text)))


def _hex(value: str) -> str:
    return value.encode("utf-8", "surrogatepass").hex()


def _cores(value: str) -> Iterator[str]:
    """What base64 makes of the value at each of three places, less the ends that its neighbours decide."""
    document = value.encode("utf-8", "surrogatepass")
    for before, lost in ((0, 0), (1, 2), (2, 3)):
        encoded = base64.b64encode(b"\0" * before + document).decode().rstrip("=")
        whole = (before + len(document)) % 3 == 0
        core = encoded[lost : len(encoded) if whole else -1]
        if len(core) >= SHORTEST_ENCODED:
            yield core


def _patterns(value: str) -> Iterator[re.Pattern[str]]:
    # A run that the value does not begin with is passed over as a whole, and stays.
    passed = rf"|(?P<passed>(?:{_BACKSLASH})++)" if value.startswith("\\") else ""
    yield re.compile("".join(_parts(value)) + passed)
    yield re.compile("".join(map(_written, _hex(value))), re.IGNORECASE)
    for core in _cores(value):
        # Two equal ways of one character would be tried in turn at every one: twice as long for each.
        spellings = (dict.fromkeys((each, each.translate(_FROM_URL_SAFE))) for each in core)
        parts = "".join(f"(?:{'|'.join(map(_written, each))})" for each in spellings)
        yield re.compile(f"[A-Za-z0-9+/_-]{{0,3}}{parts}[A-Za-z0-9+/_-]{{0,2}}")


def _dots(match: re.Match[str]) -> str:
    return DOTS if match.lastgroup is None else match[0]


_FROM_URL_SAFE = str.maketrans("+/", "-_")
_BACKSLASH = r"\\(?i:x5c|u005c)?+|%(?:25)*+5[cC]"
# The run before an escape; one that was taken for backslashes of the value leaves none.
_ESCAPE = rf"(?:{_RUN}|(?<=\\))"


def _parts(value: str) -> Iterator[str]:
    """A pattern of every character. Backslashes side by side share one, which takes as many as come: nobody can tell
    which of them the value holds, and to try would cost a power of their number.
    """
    for is_run, characters in itertools.groupby(value, "\\".__eq__):
        if is_run:
            yield rf"(?:{_BACKSLASH}){{{len(list(characters))},}}+"
        else:
            yield from map(_written, characters)


def _written(character: str) -> str:
    """A pattern of every way in which one character, no backslash, may be written."""
    octets = character.encode("utf-8", "surrogatepass")
    units = character.encode("utf-16-be", "surrogatepass")
    spellings = [
        rf"(?:{_RUN})?+{re.escape(character)}" if character in "\"'/" else re.escape(character),
        "".join(rf"(?:%(?:25)*|{_ESCAPE}x)(?i:{octet:02x})" for octet in octets),
        "".join(rf"{_ESCAPE}u(?i:{units[at : at + 2].hex()})" for at in range(0, len(units), 2)),
    ]
    if character == " ":
        spellings.append(r"\+")
    if (escaped := html.escape(character)) != character:
        spellings.append(re.escape(escaped))
        spellings.append(f"&#(?:{ord(character)}|x0*(?i:{ord(character):x}));")
    return f"(?:{'|'.join(spellings)})"


def as_text(value: Any) -> str:
    """Values as JSON, indented, without what lately let us in: a provider may repeat it."""
    text = json_numbers.dumps(value, indented=True).decode()
    if holds_live(text):
        text = json_numbers.dumps(data_without_live(value), indented=True).decode()
    return WITHHELD if holds_live(text) else text  # as a number, say


class RedactingFilter(logging.Filter):
    """Cleans every line before a handler sees it. A line that cannot be searched is not written."""

    def filter(self, record: logging.LogRecord) -> bool:
        try:
            message = redact(record.getMessage())
            trace = record.exc_text
            if not trace and record.exc_info and record.exc_info[0] is not None:
                trace = _FORMAT.formatException(record.exc_info)
            record.exc_text = redact(trace) if trace else None
            record.stack_info = redact(record.stack_info) if record.stack_info else None
        except Exception as error:  # noqa: BLE001  (whatever it is, the line must not go out unsearched)
            message = f"(withheld: a line that could not be searched for secrets, {type(error).__name__})"
            record.exc_info = record.exc_text = record.stack_info = None
        record.msg, record.args = message, None
        return True


_FORMAT = logging.Formatter()
