"""A provider made of bytes: pages of invoices encoded beforehand, answered over plain HTTP on loopback.

Speaks as much of Procountor as a sync needs (token, `previousId` and `size=200`, `versionStartDate` as "nothing new").
Runs in a process of its own, so that its work is nobody's.
"""

from __future__ import annotations

import json
import random
import socket
import sys
import threading
import time
from urllib.parse import parse_qs, urlsplit

SIZE = 200
RIGHTS = {
    "sales": {"customerRegister": "ALL_RIGHTS", "salesInvoiceSearch": "ALL_RIGHTS"},
    "purchases": {"supplierRegister": "ALL_RIGHTS", "purchaseInvoiceSearch": "ALL_RIGHTS"},
}


def invoice(number: int, chance: random.Random) -> dict[str, object]:
    """About 1,200 bytes with 2 to 4 nested lines, non-ASCII text included."""
    lines = [
        {
            "product": f"Tuote {chance.randrange(999)} – työ",
            "quantity": chance.randrange(1, 20),
            "unit": "kpl",
            "unitPrice": chance.randrange(100, 99999) / 100,
            "vatPercent": 25.5,
            "accountId": 3000 + chance.randrange(99),
        }
        for _ in range(chance.randrange(2, 5))
    ]
    return {
        "id": number,
        "version": f"2026-{1 + number % 10:02}-{1 + number % 28:02}T{number % 24:02}:{number % 60:02}:00",
        "type": "SALES_INVOICE",
        "status": chance.choice(["PAID", "SENT", "UNFINISHED"]),
        "invoiceNumber": 100000 + number,
        "date": "2026-05-04",
        "dueDate": "2026-05-18",
        "partnerId": chance.randrange(5000),
        "currency": "EUR",
        "sum": chance.randrange(100, 9999999) / 100,
        "reference": f"{chance.randrange(10**12):012}",
        "buyer": {
            "name": f"Yritys {chance.randrange(5000)} Oy",
            "street": f"Mäkitie {chance.randrange(1, 200)}",
            "zip": "00100",
            "city": "Jyväskylä",
            "country": "FINLAND",
        },
        "notes": "".join(chance.choice("abcdefghij klmnopqrstuvwxyzäö") for _ in range(240)),
        "lines": lines,
    }


def pages(records: int) -> dict[int, bytes]:
    """Encoded answers by the `previousId` they follow (0 is the start), ids 1 to `records`, and the empty last one."""
    chance = random.Random(1)
    found = {}
    for start in range(0, records, SIZE):
        listed = [invoice(number, chance) for number in range(start + 1, min(start + SIZE, records) + 1)]
        found[start] = envelope(listed, records)
    found.setdefault(records, envelope([], records))
    return found


def envelope(listed: list[dict[str, object]], total: int) -> bytes:
    return json.dumps({"results": listed, "meta": {"totalCount": total}}, ensure_ascii=False).encode()


def answer(body: bytes) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def serve(link: socket.socket, invoices: dict[int, bytes], latency_seconds: float) -> None:
    empty = answer(envelope([], 0))
    with link, link.makefile("rb") as asked:
        while line := asked.readline():
            length = 0
            while (header := asked.readline().strip()) != b"":
                name, _, value = header.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            asked.read(length)
            url = urlsplit(line.split()[1].decode())
            query = parse_qs(url.query)
            if url.path.endswith("/oauth/token"):
                link.sendall(answer(b'{"access_token": "bench-token-0123456789", "expires_in": 3600}'))
            elif url.path.endswith("/users/rights"):
                link.sendall(answer(json.dumps({"rights": RIGHTS}).encode()))
            elif url.path.endswith("/invoices") and "versionStartDate" not in query:
                time.sleep(latency_seconds)
                link.sendall(invoices[int(query.get("previousId", ["0"])[0])])
            else:
                link.sendall(empty)


def main() -> None:
    """`python -m tests.benchmarks.page_server RECORDS MILLISECONDS`: prints its port, serves until its standard input ends.

    Each page is answered so many milliseconds after it was asked for.
    """
    latency_seconds = int(sys.argv[2]) / 1000
    invoices = {after: answer(body) for after, body in pages(int(sys.argv[1])).items()}
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            link, _ = listener.accept()
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=serve, args=(link, invoices, latency_seconds), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    print(listener.getsockname()[1], flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
