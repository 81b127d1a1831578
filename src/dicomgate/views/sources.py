"""The instances of a study, read for a conversion where their origin has them (PS3.10 §7)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from dicomgate import errors
from dicomgate.dicom.limits import Limits
from dicomgate.dicom.source import Source
from dicomgate.dicom.uids import Target
from dicomgate.multiframe import classic
from dicomgate.multiframe.classic import Classic, Pool
from dicomgate.origin import Facts, Instance, Retrieve


@dataclass(frozen=True, slots=True)
class Content:
    """The bytes of one instance, which the origin is asked for each time."""

    instance: Instance

    @contextmanager
    def open(self) -> Iterator[Source]:
        """Its file. Faults as the origin's."""
        yield _Bytes(self.instance)


@dataclass(frozen=True, slots=True)
class _Bytes:
    instance: Instance

    @property
    def size(self) -> int:
        """How many bytes there are."""
        return self.instance.facts.size

    def read_at(self, offset: int, length: int) -> bytes:
        """The bytes there; fewer than asked only at the end."""
        span = range(offset, min(offset + length, self.size))
        return b"".join(self.instance.file(span)) if span else b""


@dataclass(frozen=True, slots=True)
class Held:
    """A study as its origin has it. `sources` are what could be read; every instance is in `instances`."""

    instances: dict[str, Instance]
    sources: list[Classic]

    def facts(self, source: Classic) -> Facts:
        """What is known of one of the sources."""
        return self.instances[source.name].facts


def read(retrieve: Retrieve, study: str, limits: Limits, *, most: int) -> Held:
    """All of a study. NotFound and Gone as the origin's.

    Of a study of more than `most` instances none is read: it is shown as it is.
    """
    instances: dict[str, Instance] = {}
    with retrieve.retrieve(Target(study)) as found:
        for instance in found:
            instances[instance.facts.target.instance or ""] = instance
    if len(instances) > most:
        return Held(instances, [])
    return Held(instances, list(_sources(instances, limits)))


def _sources(instances: dict[str, Instance], limits: Limits) -> Iterator[Classic]:
    pool = Pool()
    for uid, instance in instances.items():
        try:
            yield classic.read(Content(instance), name=uid, pool=pool, limits=limits)
        except (errors.Malformed, errors.TooLarge):
            continue  # it is shown as it is
