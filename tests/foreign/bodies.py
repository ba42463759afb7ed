"""How an answer's body travels: characters, marks, encodings, content types, waiting times."""

from __future__ import annotations

import codecs
import gzip
import json
import zlib
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

from tests.foreign.http_server import Response
from tests.foreign.options import Options

HTML = b"<!doctype html><html><head><title>Please wait</title></head><body><h1>Please wait</h1></body></html>"
HTML_TYPE = ("Content-Type", "text/html; charset=utf-8")


def _escaped(error: UnicodeError) -> tuple[str | bytes, int]:
    assert isinstance(error, UnicodeEncodeError)
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end


codecs.register_error("foreign-json", _escaped)


def dressed(text: str, options: Options, *, status: int, content_type: str) -> Response:
    """A text as this server sends it."""
    charset = options.charset or "utf-8"
    is_xml = "xml" in content_type
    body = text.encode(charset, "xmlcharrefreplace" if is_xml else "foreign-json")
    if options.has_mark:
        body = codecs.BOM_UTF8 + body
    if options.charset:
        content_type = f"{content_type}; charset={options.charset}"
    if options.content_type and not is_xml:
        content_type = options.content_type
    answer = Response(status, body, is_chunked=options.is_chunked)
    if options.content_type != "absent":
        answer.headers.append(("Content-Type", content_type))
    pack(answer, options.packing)
    return answer


def pack(answer: Response, packing: str) -> None:
    """Content-Encoding, and what it does to the body."""
    raw = zlib.compressobj(6, zlib.DEFLATED, -15)
    match packing:
        case "gzip":
            answer.body = gzip.compress(answer.body, 1)
        case "deflate":
            answer.body = zlib.compress(answer.body, 1)
        case "raw-deflate":
            answer.body = raw.compress(answer.body) + raw.flush()
    said = {"wrong-gzip": "gzip", "raw-deflate": "deflate", "empty": ""}.get(packing, packing)
    if packing:
        answer.headers.append(("Content-Encoding", said))


def error(status: int, text: str = "", content_type: str = "application/json") -> Response:
    return Response(status, text.encode(), [("Content-Type", content_type)] if text else [])


def page_of_html(status: int) -> Response:
    return Response(status, HTML, [HTML_TYPE])


def waiting_time(unit: str, seconds: float) -> list[tuple[str, str]]:
    """The headers that ask to wait so many seconds from now, in this way of saying it."""
    at = datetime.now(timezone.utc) + timedelta(seconds=seconds)
    whole = max(int(seconds + 0.999), 1)
    said = {
        "seconds": str(whole),
        "fraction": f"{seconds:.1f}",
        "unit": f"{whole}s",
        "minutes": f"{whole // 60 + 1}m",
        "milliseconds": str(whole * 1000),
        "epoch": str(int(at.timestamp()) + 1),
        "epoch-ms": str(int(at.timestamp() * 1000)),
        "iso": at.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "http-date": format_datetime(at, usegmt=True),
        "words": "soon",
        "zero": "0",
        "negative": "-30",
        "duration": f"PT{whole}S",
        "clock": f"{at:%H:%M:%S}",
        "far": str(3 * 24 * 3600),
    }
    if unit == "reset-epoch":
        return [("X-Rate-Limit-Remaining", "0"), ("X-Rate-Limit-Reset", str(int(at.timestamp()) + 1))]
    return [("Retry-After", said[unit])] if unit in said else []
