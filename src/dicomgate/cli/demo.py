"""`dicomgate demo`: sample studies made on the spot, served from a data folder."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dicomgate import extras
from dicomgate.cli import options, serve

if TYPE_CHECKING:
    from dicomgate.config import Settings

_ADVICE = """

Try        curl '{address}/dicomweb/studies?PatientID=DEMO-2'
Store      dicomgate store {address}/dicomweb FILES...
Stop       Ctrl-C"""


@click.command()
@click.option("--data", type=options.NEW_FOLDER, help="the data folder; without it one that vanishes afterwards")
@options.serving
def demo(*, data: Path | None, config_file: Path | None, **serving: Any) -> None:
    """Make sample studies, load them into a data folder and serve it.

    CT, MR, ultrasound and radiographs of phantoms, names in many scripts, and the files inside the pydicom package.
    Nothing is downloaded.

    For example,

    \b
    dicomgate demo
    dicomgate demo --data ./samples --port 8080
    """  # noqa: D301 (the backspace is click's sign for lines to be kept)
    extras.require("server")
    settings = options.settings(config_file, serving)
    serve.refuse_open_door(settings)
    with ExitStack() as stack:
        folder = data or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dicomgate-demo-")))
        load(folder, settings)
        serve.start(settings, data=folder, advice=_ADVICE)


def load(data: Path, settings: Settings) -> None:
    """Fill a data folder with the samples; those it has already stay as they are."""
    from dicomgate import assembly, errors
    from dicomgate.cli import local, output
    from dicomgate.dicom.outcomes import Refused
    from dicomgate.samples import packaged

    with assembly.open_archive(data, settings) as archive, output.progress("Making samples", None) as step:
        for outcome in local.keep_contents(archive, _phantoms()):
            if isinstance(outcome, Refused):
                raise errors.Unavailable(f"a sample could not be stored: {outcome.message}")
            step()
        for _ in local.keep_all(archive, packaged.find()):
            step()
        counts = archive.counts()
    studies = output.count(counts.studies, "study", "studies")
    instances = output.count(counts.instances, "instance", "instances")
    output.message(f"{data}: {studies}, {counts.series:,} series, {instances}")


def _phantoms() -> Iterator[bytes]:
    from dicomgate.samples import phantoms

    return (content for _, content in phantoms.make())
