"""A server that stops while instances are made: threads go on with what they read, which nobody closes under them."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest
from made_origin import Made
from waiting import PATIENCE

from dicomgate.composition.content import Workshop
from dicomgate.composition.draft import Draft
from dicomgate.dicom import header
from dicomgate.dicom.outcomes import Outcome, Refused, Stored
from dicomgate.dicom.source import BytesSource
from dicomgate.pixels.pictures import Decoder
from dicomgate.pixels.processes import Workers
from dicomgate.server.app import Application
from dicomgate.server.logs import Log
from dicomgate.spool import Arrival, Spool
from dicomgate.testing.serving import format_request, serving

pytestmark = pytest.mark.slow  # the fast loop stays under a minute

MIB = 1 << 20


def judge(content: bytes) -> Outcome:
    seen = header.read(BytesSource(content))
    assert seen.target is not None
    return Stored(seen.target, "1.2")


def test_instances_under_way_are_made_of_their_own_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(tmp_path, in_memory=MIB)
    bulk = os.urandom(3 * MIB)
    uids = {
        "00080016": "1.2.840.10008.5.1.4.1.1.66",
        "00080018": "1.2.3.4.1",
        "0020000D": "1.2.3",
        "0020000E": "1.2.3.4",
    }
    dataset = {tag: {"vr": "UI", "Value": [uid]} for tag, uid in uids.items()}
    text = json.dumps([dataset | {"00420011": {"vr": "OB", "BulkDataURI": "bulk"}}]).encode()
    body = b"--XX\r\nContent-Type: application/dicom+json\r\n\r\n" + text
    body += b"\r\n--XX\r\nContent-Location: bulk\r\n\r\n" + bulk + b"\r\n--XX--\r\n"
    began, may_go_on = threading.Event(), threading.Event()
    made = Made()
    made.judge = judge
    fill = Draft.fill

    def slow_fill(draft: Draft, arrival: Arrival) -> Refused | None:
        began.set()
        assert may_go_on.wait(PATIENCE)
        return fill(draft, arrival)

    monkeypatch.setattr(Draft, "fill", slow_fill)
    with Workers() as workers:
        workshop = Workshop(decoder=Decoder(workers), scratch=spool.scratch)
        application = Application(made.origin, spool, workshop, log=Log(lambda line: None))
        with serving(application, stop_seconds=0.2) as served, served.line() as line:
            fields = {"Content-Type": 'multipart/related; type="application/dicom+json"; boundary=XX'}
            line.say(format_request("POST", "/dicomweb/studies", fields, body))
            assert began.wait(PATIENCE)
            # The block ends here: the server is told to stop, waits a moment and cancels the request.
            threading.Timer(1.5, may_go_on.set).start()
    (content,) = made.accepted
    assert bulk in content
