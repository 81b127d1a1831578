"""What a relay compresses before it leaves has the same pixels; what it cannot compress goes as it came (issue 7)."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pydicom
import pytest
import relay_started as started
from receiver_made import Receiver, receiving

from dicomgate import assembly, config
from dicomgate.archive import lone
from dicomgate.dicom import syntaxes
from dicomgate.dicom.part10 import read_beginning
from dicomgate.dicom.source import BytesSource
from dicomgate.pixels.processes import Workers
from dicomgate.representations import transcoding
from dicomgate.representations.maker import Maker
from dicomgate.testing import instances

SYNTAXES = {
    "jpeg-ls": "1.2.840.10008.1.2.4.80",
    "jpeg-2000": "1.2.840.10008.1.2.4.90",
    "htj2k": "1.2.840.10008.1.2.4.201",
    "rle": "1.2.840.10008.1.2.5",
}


def pixels(file: bytes) -> bytes:
    """As somebody else decodes them."""
    return bytes(pydicom.dcmread(BytesIO(file)).pixel_array.tobytes())


def decoded(file: bytes, maker: Maker, here: Path) -> bytes:
    """Of what nobody else decodes here."""
    (here / "sent.dcm").write_bytes(file)
    made = transcoding.make_file(maker, lone.open_file(here / "sent.dcm"), syntaxes.EXPLICIT_LITTLE)
    return b"".join(made.chunks)


@pytest.mark.slow
def test_compressed_pictures_have_the_pixels_of_those_that_came(tmp_path: Path) -> None:
    grey = {"WindowCenter": "100", "WindowWidth": "50"}
    picture = instances.new_target()
    file = instances.make(picture, rows=64, columns=48, attributes=grey)
    compressed = instances.new_target()
    kept = instances.make(compressed, syntax=SYNTAXES["rle"], frames=[b"\0" * 64 + b"\1\2\3\4"])
    files = {picture.instance or "": file, compressed.instance or "": kept}
    with Workers() as workers:
        maker = Maker(workers=workers)
        for word, uid in SYNTAXES.items():
            with receiving(Receiver()) as receiver:
                hub = config.Destination(**{**started.QUICK, "to": receiver.root, "compress": word})  # type: ignore[arg-type]
                settings = config.Settings(relay=config.Relay(folder=str(tmp_path / word)), destinations={"hub": hub})
                with assembly.open_relay(settings, {"hub": hub}, maker) as relay:
                    for content in files.values():
                        arrival = relay.spool.arrival()
                        arrival.write(content)
                        relay.intake.accept(arrival)
                        arrival.discard()
                    with relay.forwarding():
                        started.wait_until(lambda: len(receiver.kept) == 2)
                    assert list((tmp_path / word / "spool").iterdir()) == []
            sent = receiver.kept[picture.instance or ""]
            assert read_beginning(BytesSource(sent)).transfer_syntax == uid
            assert pixels(decoded(sent, maker, tmp_path) if word == "htj2k" else sent) == pixels(file)
            assert receiver.kept[compressed.instance or ""] == kept
