"""The conformance statement is held to the tables that requests are answered by (GEN-14)."""

from pathlib import Path

from dicomgate.dicomweb import conformance
from dicomgate.dimse import conformance as dimse

PAGE = Path(__file__).parents[2] / "docs" / "conformance.md"


def test_the_tables_are_those_of_the_code() -> None:
    text = PAGE.read_text("utf-8")
    tables = f"{conformance.format_markdown()}\n{dimse.format_markdown()}"
    assert text.endswith(tables), "run: make conformance"
