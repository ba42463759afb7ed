"""Bodies of other charsets become UTF-8, whichever of the three places tells which it is."""

from __future__ import annotations

import pytest

from connections.transport.http.charsets import as_utf8

NORDIC = '[{"id": 17, "name": "Håkan Ääkkönen € – “x”"}]'
PLAIN = '[{"id": 17, "name": "Håkan Ääkkönen"}]'


def xml(name, text="Ääkkönen"):
    return f'<?xml version="1.0" encoding="{name}" standalone="yes"?>\n<a>{text}</a>'


@pytest.mark.parametrize(
    ("text", "encoding", "content_type"),
    [
        (NORDIC, "utf-8", ""),
        (NORDIC, "utf-8", "application/json; charset=utf-8"),
        (NORDIC, "utf-8-sig", "application/json"),
        (NORDIC, "utf-8-sig", "application/json; charset=iso-8859-1"),
        # A mark or the NULs of ASCII tell these, whatever is declared.
        *(
            (NORDIC, name, "application/json; charset=utf-8")
            for name in ("utf-16", "utf-16-le", "utf-16-be", "utf-32")
        ),
        *((NORDIC, name, "") for name in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be")),
        (PLAIN, "latin-1", 'application/json;charset="ISO-8859-1"'),
        (NORDIC, "cp1252", "application/json; charset=windows-1252"),
        # Browsers read the narrower ones as windows-1252, too.
        (NORDIC, "cp1252", "application/json; charset=iso-8859-1"),
        (NORDIC, "cp1252", "application/json; charset=us-ascii"),
        ('["CAFÉ–BAR"]', "cp1252", "application/json; charset=windows-1252"),  # which would be UTF-8, too
        # It says one thing by habit and sends another.
        (NORDIC, "utf-8", "application/json; charset=iso-8859-1"),
        ('["\x81 Å"]', "latin-1", "application/json; charset=iso-8859-1"),
        ('["تهران"]', "cp1256", "application/json; charset=windows-1256"),
        ('["Đơn"]'.replace("ơ", "o"), "cp1258", "application/json; Charset = Windows-1258"),
        ('["北京 Å"]', "gb18030", "application/json; charset=GB18030"),
        (NORDIC, "utf-8", "application/json; charset=base64"),
        (NORDIC, "utf-8", "application/json; charset=idna"),
        (NORDIC, "utf-8", "application/json; charset=nonsense"),
        (NORDIC, "utf-8", "application/json; charset=windows-1253"),  # does not fit from end to end
    ],
)
def test_json_of_any_charset(text, encoding, content_type):
    assert as_utf8(text.encode(encoding), content_type).decode() == text


@pytest.mark.parametrize(
    ("declared", "encoding", "content_type"),
    [
        ("windows-1252", "cp1252", "application/xml"),
        ("iso-8859-15", "iso8859-15", ""),
        ("utf-16", "utf-16", "text/xml"),
        ("utf-16", "utf-8", "text/xml; charset=utf-8"),  # as .NET does
        ("utf-16", "utf-8", ""),
        ("windows-1252", "utf-8", "text/xml; charset=utf-8"),
        ("utf-8", "cp1252", "text/xml; charset=windows-1252"),
        ("utf-8", "utf-8-sig", ""),
        ("nonsense", "utf-8", ""),
        ("windows-1252", "cp1252", "text/xml; charset=utf-8"),  # the header is wrong
    ],
)
@pytest.mark.parametrize("before", ["", "\r\n "])
def test_xml_of_any_charset_is_told_apart_and_no_longer_declared(declared, encoding, content_type, before):
    body = as_utf8((before + xml(declared)).encode(encoding), content_type)
    assert body.decode().strip() == '<?xml version="1.0" standalone="yes"?>\n<a>Ääkkönen</a>'


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b'["\xe4"]', ""),
        (b'["\xe4"]', "application/json; charset=utf-8"),
        ('["\ud800"]'.encode("utf-16-le", "surrogatepass"), ""),
        (b'["\xd2\xff"]', "application/json; charset=windows-1253"),
    ],
)
def test_what_fits_nowhere_stays_for_whoever_mends_it(body, content_type):
    with pytest.raises(UnicodeDecodeError):
        as_utf8(body, content_type).decode()


@pytest.mark.parametrize(
    "body", [b"<?xml" + b" " * 3_000_000, b" " * 3_000_000 + b"<?xml", b"<?xml " * 500_000, b"\x00" * 9]
)
def test_a_strange_head_is_not_searched_for_long(body):
    as_utf8(body + b"\xe4", "charset=" * 5000)
