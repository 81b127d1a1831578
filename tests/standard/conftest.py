"""A real archive behind the door on a real socket."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from standard_service import FRAMES, J2K, Service

from dicomgate import assembly, config
from dicomgate.dicom.uids import Target
from dicomgate.testing import instances
from dicomgate.testing.serving import serving


@pytest.fixture(scope="session")
def open_service(tmp_path_factory: pytest.TempPathFactory):
    """Starts a service over a fresh archive, with settings of one's own."""
    open_ones = []

    def start(**sections: Any) -> Service:
        settings = config.Settings(**sections)
        opened = serving(assembly.application(settings, data=tmp_path_factory.mktemp("data")))
        open_ones.append(opened)
        return Service(opened.__enter__())

    yield start
    with ThreadPoolExecutor(32) as closing:  # each waits a fifth of a second for nothing, so they do it together
        list(closing.map(lambda opened: opened.__exit__(None, None, None), open_ones))


@pytest.fixture(scope="module")
def service(open_service) -> Service:
    """With an archive of the module's own: nobody finds what others have stored."""
    return open_service(store=config.Store(allow_delete=True))


@pytest.fixture(scope="module")
def strict(open_service) -> Service:
    return open_service(search=config.Search(strict=True))


@pytest.fixture(scope="module")
def native(service: Service) -> Iterator[tuple[Target, bytes]]:
    """One uncompressed single-frame instance, stored."""
    target = instances.new_target()
    content = instances.make(target)
    service.store(content)
    return target, content


@pytest.fixture(scope="module")
def compressed(service: Service) -> tuple[Target, bytes]:
    """Ten frames of JPEG 2000 codestreams."""
    target = instances.new_target()
    content = instances.make(target, syntax=J2K, frames=[b"\xff\x4f\xff\x51" + frame for frame in FRAMES])
    service.store(content)
    return target, content


@pytest.fixture(scope="module")
def multiframe(service: Service) -> tuple[Target, bytes]:
    """Three native frames of 8 x 8 words."""
    target = instances.new_target()
    frames = [bytes([number, 0]) * 64 for number in range(3)]
    content = instances.make(target, frames=frames)
    service.store(content)
    return target, content


@pytest.fixture(scope="module")
def study(service: Service) -> Target:
    """Two series, of two instances and of one."""
    uid = instances.new_target().study
    first, second = instances.new_target(uid), instances.new_target(uid)
    again = instances.new_target(uid, first.series)
    service.store(*(instances.make(target) for target in (first, again, second)))
    return first
