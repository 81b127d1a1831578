"""What an instance was before: our own resource below an instance (STOW-18)."""

from __future__ import annotations

import json

import pytest
from standard_service import parts_of, path_of

from dicomgate import config
from dicomgate.testing import instances


@pytest.fixture(scope="module")
def keeping(open_service):
    return open_service(store=config.Store(duplicates="keep-versions", allow_delete=True))


def test_versions_are_listed_and_retrieved_STOW_18(keeping) -> None:
    target = instances.new_target()
    files = [instances.make(target, attributes={"StudyDescription": f"{number}"}) for number in range(3)]
    for content in files:
        keeping.store(content)
    path = path_of(target) + "/versions"
    reply = keeping.studies(path)
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    listed = json.loads(reply.body)
    assert [(one["version"], one["current"], one["why"], one["size"]) for one in listed] == [
        (1, False, "replaced", len(files[0])),
        (2, False, "replaced", len(files[1])),
        (3, True, None, len(files[2])),
    ]
    for one, content in zip(listed, files, strict=True):
        assert one["url"] == f"{keeping.root}{path}/{one['version']}"
        whole = keeping.get(one["url"], "application/dicom; transfer-syntax=*")
        assert (whole.status, whole.body) == (200, content)
        (part,) = parts_of(keeping.get(one["url"], 'multipart/related; type="application/dicom"'))
        assert part.body == content
    assert keeping.get(listed[0]["url"], "application/dicom", Range="bytes=0-9").body == files[0][:10]
    (now,) = parts_of(keeping.studies(path_of(target)))
    assert now.body == files[2]


def test_what_is_no_version_is_404(keeping) -> None:
    target = instances.new_target()
    keeping.store(instances.make(target))
    path = path_of(target) + "/versions"
    for wrong in ("/0", "/2", "/x", "/-1", "/1/frames/1", "/99999999999"):
        assert keeping.studies(path + wrong).status == 404, wrong
    assert keeping.studies(path_of(instances.new_target()) + "/versions").status == 404
    assert keeping.studies(path.rpartition("/instances")[0] + "/versions").status == 404


def test_deleted_with_all_that_it_was_is_410_D7(keeping) -> None:
    target = instances.new_target()
    for number in range(2):
        keeping.store(instances.make(target, attributes={"StudyDescription": f"{number}"}))
    assert keeping.get("/dicomweb" + path_of(target), method="DELETE").status == 204
    assert keeping.studies(path_of(target) + "/versions").status == 410
    assert keeping.studies(path_of(target) + "/versions/1").status == 410
