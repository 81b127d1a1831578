"""The page of media types is held to the tables of the code."""

import re
from pathlib import Path

from dicomgate.dicom import codestreams, documents, syntaxes

PAGE = (Path(__file__).parents[2] / "docs/media-types.md").read_text("utf-8")
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("| `")]


def test_every_media_type_that_is_taken_is_there_and_no_other():
    named = {name.lower() for row in ROWS for name in re.findall(r"`([^`]+)`", row[0])}
    pictures = {*codestreams.READERS, *codestreams.TRANSFORMED, "image/dicom-rle"}
    assert named == pictures | {kind.media_type.lower() for kind in documents.KINDS}


def test_every_transfer_syntax_is_one_of_its_media_type():
    for media_types, _, uids in (row for row in ROWS if len(row) == 3):
        last = "1.2.840.10008.1.2.4"
        for uid in re.findall(r"[\d.]*\.\d+", uids):
            whole = last + uid if uid.startswith(".") else uid
            last = whole.rpartition(".")[0]
            syntax = syntaxes.find(whole)
            assert syntax, whole
            names = media_types.lower().replace("image/jph`", "image/jphc`")
            known = syntax.media_type.lower() in names or syntax.media_type in ("image/jp2", "image/jpx")
            assert known or whole == syntaxes.EXPLICIT_LITTLE, whole


def test_every_document_names_its_class():
    assert [row[1].partition(":")[0] for row in ROWS if len(row) == 2] == [kind.name for kind in documents.KINDS]
