"""The invented shops whose people log in to the user panel, and their packages."""

from __future__ import annotations

from dataclasses import dataclass

from connections.sandbox.kit import Kit


@dataclass(frozen=True)
class Shop:
    """One account; a `package` is what online payment on invoices needs."""

    id: int
    name: str
    owner: str
    package: bool


# Invented; the first has an active package from the first day, the second has none.
FIRST, SECOND = 7101, 7102
NAMES = {FIRST: ("فروشگاه خیالی سپیده", "سارا خیالی"), SECOND: ("کارگاه نمونهٔ غروب", "بهرام نمونه")}


class Accounts:
    """Reads and changes the shops."""

    def __init__(self, kit: Kit) -> None:
        self._store = kit.store
        self.create_shops()

    def create_shops(self) -> None:
        """Open the shops that are not there yet."""
        for number in NAMES:
            self._store.write("INSERT OR IGNORE INTO shops (id, package) VALUES (?, ?)", number, number == FIRST)

    def reset(self) -> None:
        self._store.write("DELETE FROM shops")
        self.create_shops()

    def all(self) -> list[Shop]:
        rows = self._store.rows("SELECT * FROM shops ORDER BY id")
        return [Shop(row["id"], *NAMES[row["id"]], bool(row["package"])) for row in rows]

    def shop(self, number: int) -> Shop | None:
        return next((shop for shop in self.all() if shop.id == number), None)

    def set_package(self, number: int, active: bool) -> None:
        self._store.write("UPDATE shops SET package = ? WHERE id = ?", active, number)
