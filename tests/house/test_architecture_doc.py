"""docs/architecture.md shows the floors that the contracts hold and the imports that there are."""

from __future__ import annotations

import pytest

from connections.jobs import registry
from connections.tenancy import row_security
from portal.operations.roles import BACKUP
from tests.house import architecture_doc, papers


@pytest.fixture(scope="module")
def page() -> str:
    return papers.text_of(architecture_doc.PLACE)


def test_the_picture_is_up_to_date(page: str) -> None:
    assert page == architecture_doc.document(page), "run: python -m tests.house.architecture_doc"


def test_what_is_written_by_hand_is_kept_and_a_lost_mark_is_noticed(page: str) -> None:
    changed = page.replace("Only `connections/vault/`", "Nobody but `connections/vault/`").replace(
        "| `jobs` |", "| – |"
    )
    written = architecture_doc.document(changed)
    assert "Nobody but `connections/vault/`" in written
    assert "| `jobs` |" in written
    with pytest.raises(LookupError):
        architecture_doc.document(page.replace(architecture_doc.END, ""))


def test_a_new_import_shows() -> None:
    engine = next(each for each in architecture_doc.buildings() if each.package == "connections")
    graph = architecture_doc.imports()
    assert architecture_doc.used(engine, "jobs", graph) == "tenancy"
    graph.add_import(importer="connections.jobs.tasks", imported="connections.vault.keys")
    assert architecture_doc.used(engine, "jobs", graph) == "vault, tenancy"


def test_circles_are_found() -> None:
    imported = {"a": {"b"}, "b": {"c", "x"}, "c": {"a"}, "x": {"y", "z"}, "y": set(), "z": {"x"}, "w": {"a"}}
    assert architecture_doc.circles(imported) == [["a", "b", "c"], ["x", "z"]]
    assert architecture_doc.circles({"a": {"b"}, "b": set(), "c": {"a", "b"}}) == []


def test_every_queue_and_every_database_role_has_its_line(page: str) -> None:
    processes = papers.section(page, "The processes")
    assert [queue for queue in registry.QUEUES if f"`{queue}`" not in processes] == []
    roles = {cells[0].strip("`") for cells in papers.rows(papers.section(page, "The database roles"))}
    of_processes = {row_security.OWNER, row_security.WEB, row_security.WORKER, row_security.STAFF}
    assert roles == {*of_processes, BACKUP}


def test_every_folder_of_rules_among_the_tests_has_its_line(page: str) -> None:
    """What is no mirror of a room is explained."""
    rooms = {each for building in architecture_doc.buildings() for each in building.rooms} | {"pages"}
    folders = {path.name for path in (papers.REPOSITORY / "tests").iterdir() if (path / "__init__.py").exists()}
    told = {cells[0].strip("`") for cells in papers.rows(papers.section(page, "The tests"))}
    assert {f"tests/{name}/" for name in folders - rooms} == told
