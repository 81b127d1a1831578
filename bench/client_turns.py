"""One caller in a process of its own, told by a line what to fetch; it answers with what that took.

python -m bench.client_turns ours|dicomweb-client ADDRESS
"""

from __future__ import annotations

import io
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

Fetch = Callable[[Sequence[str], Sequence[int], Path], object]
"""A study, a series and maybe an instance; frames; a folder that does not exist. What is given back was held."""


_AS_STORED: Final = (("application/dicom", "*"),)
_RAW: Final = (("application/octet-stream", "*"),)


def ours(address: str) -> dict[str, Fetch]:
    """By `dicomgate.connect`."""
    import dicomgate  # only one of the two is loaded
    from dicomgate.dicom.uids import Target

    archive = dicomgate.connect(address, side_by_side=16)

    def download(names: Sequence[str], _: Sequence[int], folder: Path) -> object:
        (outcome,) = archive.download(Target(*names), folder)
        assert outcome.fetched
        assert not outcome.failures
        return outcome

    def download_each(names: Sequence[str], _: Sequence[int], folder: Path) -> object:
        targets = [Target(*names[place : place + 3]) for place in range(0, len(names), 3)]
        outcomes = archive.download(targets, folder)
        assert sum(outcome.fetched for outcome in outcomes) == len(targets), outcomes
        return outcomes

    return {
        "each file": download_each,
        "data sets": lambda names, _, __: list(archive.retrieve(Target(*names))),
        "files": download,
        "metadata": lambda names, _, __: archive.metadata(Target(*names)),
        "frames": lambda names, numbers, _: archive.frame_data(Target(*names), numbers),
    }


def dicomweb_client(address: str) -> dict[str, Fetch]:
    """By the library of that name."""
    from dicomweb_client.api import DICOMwebClient  # only one of the two is loaded

    client = DICOMwebClient(address)

    def retrieve(names: Sequence[str]) -> list[Any]:
        if len(names) == 3:
            return [client.retrieve_instance(names[0], names[1], names[2], media_types=_AS_STORED)]
        return list(client.iter_series(names[0], names[1], media_types=_AS_STORED))

    def save(names: Sequence[str], _: Sequence[int], folder: Path) -> object:
        folder.mkdir()
        for number, dataset in enumerate(retrieve(names)):
            dataset.save_as(folder / f"{number}.dcm")
        return folder

    def save_each(names: Sequence[str], _: Sequence[int], folder: Path) -> object:
        folder.mkdir()
        for place in range(0, len(names), 3):
            (dataset,) = retrieve(names[place : place + 3])
            dataset.save_as(folder / f"{place}.dcm")
        return folder

    return {
        "each file": save_each,
        "data sets": lambda names, _, __: retrieve(names),
        "files": save,
        "metadata": lambda names, _, __: client.retrieve_series_metadata(names[0], names[1]),
        "frames": lambda names, numbers, _: client.retrieve_instance_frames(
            names[0], names[1], names[2], list(numbers), media_types=_RAW
        ),
    }


CALLERS: Final[dict[str, Callable[[str], dict[str, Fetch]]]] = {"ours": ours, "dicomweb-client": dicomweb_client}


def main() -> None:
    """Answer every line until there are no more."""
    deeds = CALLERS[sys.argv[1]](sys.argv[2])
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        order = json.loads(line)
        deed = deeds[order["deed"]]
        cpu, wall = time.process_time(), time.perf_counter()
        held = deed(order["names"], order["frames"], Path(order["folder"]))
        told = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
        del held  # to let go of it is not what is measured
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    assert isinstance(sys.stdout, io.TextIOWrapper)
    main()
