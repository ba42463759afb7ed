"""What was revealed is taken out of whatever is written down, in every form; what was not is left alone."""

from __future__ import annotations

import base64
import html
import json
import logging
import re
import time
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connections.transport.log import redaction
from connections.transport.log.redaction import redact
from connections.vault import secret as secrets
from connections.vault.secret import DOTS, Secret
from tests.searching import Search

KEY = "tok-9f+Zq/31=Ab~x"
ODD = "p\"ä\\ss &</>word'7"


@pytest.fixture(autouse=True)
def nothing_revealed(monkeypatch):
    monkeypatch.setattr(secrets, "_revealed", {})


def reveal(*values):
    """Kept alive by the registry alone."""
    for value in values:
        Secret(value).reveal()


FORMS = {
    "plain": str,
    "url": lambda text: quote(text, safe=""),
    "url, lower case": lambda text: quote(text, safe="").lower() if text.islower() else quote(text, safe=""),
    "url, slashes kept": quote,
    "form": quote_plus,
    "url of a url": lambda text: quote(quote(text, safe=""), safe=""),
    "url of a url of a url": lambda text: quote(quote(quote(text, safe=""), safe=""), safe=""),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 after one byte": lambda text: base64.b64encode(b":" + text.encode() + b"z").decode(),
    "base64 after two bytes": lambda text: base64.b64encode(b"a:" + text.encode() + b"zz").decode(),
    "base64url": lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
    "base64 in a url": lambda text: quote(base64.b64encode(text.encode()).decode(), safe=""),
    "basic": lambda text: "Basic " + base64.b64encode(f"client-7:{text}".encode()).decode(),
    "hex": lambda text: text.encode().hex(),
    "HEX": lambda text: text.encode().hex().upper(),
    "json": json.dumps,
    "json, not ascii": lambda text: json.dumps(text, ensure_ascii=False),
    "json in json": lambda text: json.dumps(json.dumps({"a": text})),
    "json, slashes escaped": lambda text: json.dumps(text).replace("/", "\\/"),
    "json, capital digits": lambda text: re.sub(
        r"\\u....", lambda found: "\\u" + found[0][2:].upper(), json.dumps(text)
    ),
    "repr": repr,
    "repr of bytes": lambda text: repr(text.encode()),
    "html": html.escape,
    "html, numbers": lambda text: re.sub(r"[&<>\"']", lambda found: f"&#{ord(found[0])};", text),
    "html, numbers in hex": lambda text: re.sub(r"[&<>\"']", lambda found: f"&#x0{ord(found[0]):X};", text),
    "octets, capital digits": lambda text: "".join(f"\\x{octet:02X}" for octet in text.encode()),
}


@pytest.mark.parametrize("value", [KEY, ODD, "plainvalue1234"])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_taken_out_every_time(form, value):
    reveal(value)
    written = FORMS[form](value)
    text = redact(f"first <{written}> and again <{written}>, and that is all")
    assert Search([("it", value)]).look("a line", text) == []
    assert value not in text
    assert written not in text
    assert text.startswith("first <")
    assert text.endswith(">, and that is all")
    assert text.count(DOTS) >= 2


@pytest.mark.parametrize("value", ["000000\\\xa0", "a\\\\ä-0123456", "\\n\\é\\ü-9", "key-\U0001f511-012345"])
@pytest.mark.parametrize("form", [form for form in FORMS if form.startswith("json")])
def test_an_escape_does_not_hide_the_backslash_before_it(form, value):
    reveal(value)
    text = redact(f"first {FORMS[form](value)}, last")
    assert Search([("it", value)]).look("a line", text) == []
    assert text.startswith("first ")
    assert text.endswith(", last")


def test_a_value_of_backslashes_withholds_no_text_without_it():
    reveal("\\" * 6, "\\a\\b\\c")
    assert redact("abc and a\\b are no secret") == "abc and a\\b are no secret"
    assert redact("\\" * 6 + "!") == f"{DOTS}!"


VALUES = st.text(
    st.characters(min_codepoint=33, max_codepoint=0x2FFF, exclude_categories=["Cs", "Cc"]), min_size=8, max_size=40
)


@settings(deadline=None)
@given(VALUES, st.sampled_from(sorted(FORMS)), st.text(max_size=20), st.text(max_size=20))
def test_no_text_around_it_hides_it(value, form, before, after):
    secrets._revealed.clear()
    reveal(value)
    text = redact(f"{before} {FORMS[form](value)} {after}")
    if value not in f"{before} {after}":
        assert Search([("it", value)]).look("a line", text) == []


@settings(deadline=None)
@given(st.text(max_size=300))
def test_no_text_breaks_it(text):
    reveal(KEY)
    assert KEY not in redact(text)


def test_what_was_not_revealed_is_left_alone():
    held = Secret(KEY)
    line = f"job 7f3a took 12 ms: {KEY}"
    assert redact(line) == line
    held.reveal()
    assert redact(line) == f"job 7f3a took 12 ms: {DOTS}"


def test_a_revealed_secret_is_forgotten_after_a_while_and_stored_once(monkeypatch):
    reveal(KEY, KEY, KEY)
    assert secrets.lately_revealed() == [KEY]
    later = time.monotonic() + secrets.REMEMBERED_SECONDS + 1
    monkeypatch.setattr(secrets.time, "monotonic", lambda: later)
    assert secrets.lately_revealed() == []
    assert secrets._revealed == {}


def test_the_registry_has_an_end_and_drops_the_oldest(monkeypatch):
    monkeypatch.setattr(secrets, "MOST_REMEMBERED", 3)
    reveal("value-one", "value-two", "value-three")
    reveal("value-one", "value-four")
    assert secrets.lately_revealed() == ["value-three", "value-one", "value-four"]


def test_the_registry_holds_the_wrapper_and_no_copy():
    held = Secret(KEY)
    held.reveal()
    ((kept, _until),) = secrets._revealed.values()
    assert kept is held
    assert KEY not in repr(secrets._revealed)
    assert not any(KEY.encode() in digest for digest in secrets._revealed)


@pytest.mark.parametrize("form", FORMS)
def test_data_loses_what_is_live_and_nothing_else(form):
    reveal(KEY)
    written = FORMS[form](KEY)
    data = {"token": "not ours", written: [f"a {written} b", 7, None, True, {"deep": (written,)}]}
    assert redaction.holds_live(json.dumps(data))
    clean = redaction.data_without_live(data)
    assert not redaction.holds_live(json.dumps(clean))
    assert clean["token"] == "not ours"
    [kept] = [value for name, value in clean.items() if name != "token"]
    assert kept[0].startswith("a ")
    assert kept[0].endswith(" b")
    assert kept[1:4] == [7, None, True]


def test_nothing_is_live_that_was_not_revealed():
    reveal("another-secret-77")
    assert not redaction.holds_live(f"a {KEY} b")
    assert redaction.data_without_live({"a": [KEY]}) == {"a": [KEY]}
    assert redaction.without_live(f"token={KEY}") == f"token={KEY}"


NAMED = [
    ("password=hunter22 next", f"password={DOTS} next"),
    ("{'client_secret': 'abc def', 'a': 1}", f"{{'client_secret': {DOTS}, 'a': 1}}"),
    ('{"api_key": "abc\\"def", "a": 1}', f'{{"api_key": {DOTS}, "a": 1}}'),
    ("Authorization: Bearer abc.def-ghi_jkl", f"Authorization: {DOTS}"),
    ("sent Bearer abcdefghijkl to", f"sent Bearer {DOTS} to"),
    ("Basic dXNlcjpwYXNzd29yZA==", f"Basic {DOTS}"),
    ("https://a.example/x?access_token=abc&page=2", f"https://a.example/x?access_token={DOTS}&page=2"),
    ("/oauth/callback?code=4%2F0Ab&state=xyz", f"/oauth/callback?code={DOTS}&state={DOTS}"),
    ("X-Api-Key: 12345", f"X-Api-Key: {DOTS}"),
    ("refresh_token=>r1", f"refresh_token=>{DOTS}"),
    ('password="hunter 22, and the line is cut', f"password={DOTS}"),
    ("token='a\\\nb' next", f"token={DOTS} next"),
    ("-----BEGIN EC PRIVATE KEY-----\nMHcC\nAQ==\n-----END EC PRIVATE KEY-----!", f"{DOTS}!"),
]  # fmt: skip
HARMLESS = [
    "job 1 (sync.run) failed: KeyError",
    "author: Aino",
    "staff 7: GET /admin/vault/connection/",
    "a doorbell rang without a job id",
    "portal.E007 The secret key is missing",
    "procountor:test:0a1b is in trouble: 5 failures, 0 good answers",
]


@pytest.mark.parametrize(("line", "wanted"), NAMED)
def test_what_stands_behind_a_telling_name_is_taken_out(line, wanted):
    assert redact(line) == wanted


@pytest.mark.parametrize("line", HARMLESS)
def test_ordinary_lines_stay_as_they_are(line):
    assert redact(line) == line


def test_a_form_that_is_found_but_not_taken_out_withholds_the_text(monkeypatch):
    reveal(KEY)
    monkeypatch.setattr(redaction, "_patterns", lambda value: iter(()))
    assert redact(f"a {KEY} b").startswith("(withheld: a secret was found")


def test_a_line_that_cannot_be_searched_is_not_written():
    record = logging.LogRecord("a", logging.ERROR, __file__, 1, "%d of %s", (KEY,), None)
    assert redaction.RedactingFilter().filter(record)
    assert record.getMessage() == "(withheld: a line that could not be searched for secrets, TypeError)"


def written(**more):
    """A line as a handler writes it."""
    record = logging.LogRecord(
        **{
            "name": "a",
            "level": 40,
            "pathname": "p",
            "lineno": 1,
            "msg": "%s",
            "args": ("x",),
            "exc_info": None,
            **more,
        }
    )
    return record, redaction.RedactingFilter().filter(record) and logging.Formatter().format(record)


def raised(message):
    try:
        raise LookupError(message)
    except LookupError as error:
        return type(error), error, error.__traceback__


def test_a_line_is_written_without_what_is_secret_in_any_of_its_parts():
    reveal(KEY)
    record, line = written(msg="%d of %s", args=(7, KEY), exc_info=raised(f"no {KEY} there"), sinfo=f"at {KEY}")
    assert line.startswith(f"7 of {DOTS}\nTraceback (most recent call last):")
    assert f"\nLookupError: no {DOTS} there\nat {DOTS}" in line
    assert (record.args, record.stack_info) == (None, f"at {DOTS}")


def test_a_line_with_nothing_secret_is_written_as_it_is():
    record, line = written(args=("%d 100%",))
    assert (line, record.exc_text, record.stack_info) == ("%d 100%", None, None)
    assert written(exc_info=(None, None, None))[1].startswith("x")


def test_a_trace_that_was_made_before_is_searched_too():
    reveal(KEY)
    record, _line = written()
    record.exc_text = f"made of {KEY}"
    assert redaction.RedactingFilter().filter(record)
    assert record.exc_text == f"made of {DOTS}"


def test_of_a_line_that_cannot_be_searched_no_part_is_written():
    record, line = written(msg="%d", args=(KEY,), exc_info=raised(KEY), sinfo=KEY)
    assert line == "(withheld: a line that could not be searched for secrets, TypeError)"
    assert (record.exc_info, record.exc_text, record.stack_info) == (None, None, None)


def test_short_values_do_not_shred_the_log():
    reveal("ab", "api")
    assert redact("the api answered about it") == "the api answered about it"
    reveal("7391")
    assert redact("the number 7391 is said") == f"the number {DOTS} is said"


def test_half_a_surrogate_pair_hides_nothing_and_stops_nothing():
    reveal(KEY, "\ud83d-half-a-pair")
    assert redact(f"\\ud83d {KEY} \\udc00") == f"\\ud83d {DOTS} \\udc00"
    assert redact("a \ud83d-half-a-pair b") == f"a {DOTS} b"


@pytest.mark.parametrize("before", ["", ":", "a:"])
def test_five_characters_are_found_in_base64_wherever_they_begin(before):
    reveal("k9-xZ")
    encoded = base64.b64encode(f"{before}k9-xZ".encode()).decode().rstrip("=")
    assert redact(f"<{encoded}>") == f"<{DOTS}>"


def test_every_letter_as_an_entity_is_found_though_it_cannot_be_taken_out():
    reveal(KEY)
    assert redact("".join(f"&#{ord(letter)};" for letter in KEY)) == redaction.WITHHELD


def test_a_value_within_another_leaves_nothing_of_the_longer_one():
    reveal("zz-inner-1", "aa-zz-inner-1-outer")
    assert redact("<aa-zz-inner-1-outer> <zz-inner-1>") == f"<{DOTS}> <{DOTS}>"


def test_of_a_long_text_the_beginning_is_kept():
    line = "0123456789abcdef" * 4096
    assert redact(line) == line[: 32 * 1024]


@pytest.mark.parametrize("zeros", [0, 5000])
def test_an_entity_of_thousands_of_digits_hides_nothing(zeros):
    reveal(KEY)
    assert redaction.holds_live(f"&#{'9' * 5000}; {KEY}")
    assert redact(f"&#{'9' * 5000}; {KEY}") == f"&#{'9' * 5000}; {DOTS}"
    assert redact("".join(f"&#{'0' * zeros}{ord(letter)};" for letter in KEY[:6]) + KEY[6:]) == redaction.WITHHELD


BACKSLASHES = ["\\" * 6, "\\ab-1234", "a\\\\\\b-12", '\\"-\\"-\\"-\\', '"\\ä-1234', "ü\\-0123456"]


@pytest.mark.parametrize("value", BACKSLASHES)
@pytest.mark.parametrize("filler", ["\\", "\\x5c", "%5c", '\\"'])
def test_a_long_run_of_backslashes_is_searched_once(value, filler):
    """A customer chooses the secret, and its own server what comes back. Searched again and again it takes hours."""
    reveal(value)
    long = filler * (64_000 // len(filler))
    redaction.holds_live(long)
    text = redaction.without_live(f"{value} {long}!")
    assert Search([("it", value)]).look("a line", text) == []


@pytest.mark.parametrize("value", ["\\ab-1234", "a\\\\\\b-12"])
@pytest.mark.parametrize("form", FORMS)
def test_backslashes_that_are_no_secret_stay_where_they_are(value, form):
    reveal(value)
    text = redaction.without_live(f"C:\\\\\\x5c\\c %5c {FORMS[form](value)} \\\\")
    assert text.startswith("C:\\\\\\x5c\\c %5c ") or text == redaction.WITHHELD
    assert Search([("it", value)]).look("a line", text) == []


def test_what_is_nearly_a_secret_is_searched_once():
    reveal(KEY * 3)
    nearly = base64.b64encode((KEY * 3).encode()).decode()[:-4]
    assert redact(f"{KEY * 3} {nearly}!!!!!!") == f"{DOTS} {nearly}!!!!!!"  # or it takes years


@pytest.mark.parametrize(
    "piece",
    [
        'token=\\"',
        "token='\\'",
        "token-",
        "token=bearer ",
        "bearer ",
        "-----BEGIN PRIVATE KEY-----",
        "-----BEGIN A",
        "?code=",
    ],
)
@pytest.mark.parametrize("end", ["", "\\", " ", '"', "'"])
def test_a_text_full_of_names_is_searched_once(piece, end):
    half = redaction.LONGEST_TEXT // 2
    for long in (piece * half, (piece * half)[:half] + end * half):
        redact(long)


def test_a_very_long_text_is_cut_not_searched_for_ever():
    reveal(KEY)
    for filler in ("token", "9", "%25", "\\", "token=", '"'):
        assert len(redact(filler * 400_000)) <= redaction.LONGEST_TEXT + 100_000
