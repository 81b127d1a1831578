"""What a relay answers to who asks it for something: it holds objects only until they have gone on (PS3.4 §C)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import NoReturn

from dicomgate import errors
from dicomgate.dicom.matching import Query
from dicomgate.dicom.uids import Target
from dicomgate.origin import Found, Instance


class Nothing:
    """Finds nothing and gives nothing back, as `origin.Search` and `origin.Retrieve`."""

    def search(self, query: Query) -> Found:  # noqa: ARG002 - whatever it is
        """No match."""
        return Found(datasets=(), remaining=0, total=0)

    def retrieve(self, target: Target) -> AbstractContextManager[Iterator[Instance]]:  # noqa: ARG002
        """NotFound."""
        return self._refuse()

    def metadata(self, target: Target) -> tuple[str, Iterator[bytes]]:  # noqa: ARG002
        """NotFound."""
        return self._refuse()

    def changed(self, study: str, since: int) -> tuple[int, bool]:  # noqa: ARG002
        """Nothing ever does."""
        return since, False

    def is_quiet(self, since: int) -> bool:  # noqa: ARG002
        """True: there is nothing to change."""
        return True

    def _refuse(self) -> NoReturn:
        raise errors.NotFound("a relay gives nothing back; ask where it sends to")
