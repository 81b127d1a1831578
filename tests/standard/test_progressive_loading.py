"""The requests of cornerstone3D when it loads HTJ2K frames progressively: a beginning, then the rest (CLI-09, GEN-12, V13)."""

from __future__ import annotations

import imagecodecs
import numpy as np
import pytest
from standard_service import Service, path_of

from dicomgate.testing import instances

HTJ2K = "1.2.840.10008.1.2.4.201"
FIRST = 4096


@pytest.mark.parametrize(
    "accept",
    [
        "multipart/related; type=application/octet-stream; transfer-syntax=*",
        f"image/jphc; transfer-syntax={HTJ2K}",
        "application/octet-stream; transfer-syntax=*",
    ],
)
def test_a_beginning_and_then_the_rest_is_the_frame_CLI_09(service: Service, accept: str) -> None:
    values = np.random.default_rng(3).integers(0, 4096, (96, 96), dtype=np.uint16)
    codestream = imagecodecs.htj2k_encode(values, level=0)
    codestream += b"\0" * (len(codestream) % 2)
    target = instances.new_target()
    service.store(instances.make(target, syntax=HTJ2K, rows=96, columns=96, frames=[codestream]))
    path = f"{path_of(target)}/frames/1"
    begun = service.studies(path, accept, range=f"bytes=0-{FIRST - 1}")
    assert begun.status == 206
    place, _, size = begun.headers["content-range"].partition("/")
    assert place == f"bytes 0-{FIRST - 1}"
    assert len(begun.body) == FIRST
    assert int(size) > FIRST
    rest = service.studies(path, accept, range=f"bytes={FIRST}-", if_range=begun.headers["etag"])
    assert rest.status == 206
    assert rest.headers["content-range"] == f"bytes {FIRST}-{int(size) - 1}/{size}"
    assert begun.headers["content-type"] == rest.headers["content-type"]
    whole = begun.body + rest.body
    if begun.headers["content-type"].startswith("multipart"):
        head, _, whole = whole.partition(b"\r\n\r\n")
        assert f"transfer-syntax={HTJ2K}".encode() in head
    else:
        assert begun.headers["content-type"].endswith(f"transfer-syntax={HTJ2K}")
    assert whole[: len(codestream)] == codestream
    decoded = imagecodecs.htj2k_decode(whole[: len(codestream)])
    assert np.array_equal(decoded, values)
