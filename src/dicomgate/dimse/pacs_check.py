"""What a gateway needs of a PACS, tried one after the other, with what to change and at whose side where it fails."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from dicomgate import errors
from dicomgate.dicom import elements
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.uids import Target
from dicomgate.dimse import associations, datasets, pacs_contexts, pacs_questions, statuses
from dicomgate.dimse.associations import Incoming, NotAccepted, Peer, Rejected, Suboperations
from dicomgate.dimse.commands import number
from dicomgate.dimse.pacs_questions import Questions
from dicomgate.dimse.pool import Pool
from dicomgate.dimse.receiver import Receiver
from dicomgate.dimse.statuses import Status

_COUNTS: Final = {"00080061": "ModalitiesInStudy", "00201206": "it counts series", "00201208": "it counts instances"}


@dataclass(frozen=True, slots=True)
class Probe:
    """One thing that was tried. `advice`: what to change, at whose side; empty where all is well."""

    name: str
    is_good: bool
    says: str
    advice: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Probes one PACS. `own_host`: how the PACS reaches us, for what is advised."""

    peer: Peer
    receiver: Receiver | None
    own_host: str
    way: str = "auto"

    def probes(self) -> Iterator[Probe]:
        """Each probe when it has been tried; those that cannot succeed after a failure are left out."""
        echo = self._timed("C-ECHO", self._echo)
        yield echo
        if not echo.is_good:
            return
        yield self._timed("C-FIND", self._find)
        get = None if self.way == "move" else self._timed("C-GET", self._get)
        if get is not None:
            yield get
        if self.way != "get":
            yield self._timed("C-MOVE", self._move)

    def _timed(self, name: str, deed: Callable[[], tuple[bool, str, str]]) -> Probe:
        began = time.monotonic()
        try:
            is_good, says, advice = deed()
        except errors.Fault as fault:
            is_good, says, advice = False, fault.message, self._advice(fault)
        return Probe(name, is_good, says, advice, time.monotonic() - began)

    def _advice(self, fault: errors.Fault) -> str:
        reason = (fault.source, fault.reason) if isinstance(fault, Rejected) else None
        if reason == associations.CALLING_UNKNOWN:
            return self._ask_administrator
        if reason == associations.CALLED_UNKNOWN:
            return "Here: set pacs.title to the AE title of the PACS; its administrator knows it."
        if isinstance(fault, NotAccepted):
            return f"At the PACS: allow this to the AE title {self.peer.own_title}."
        if isinstance(fault, errors.Unavailable | errors.UpstreamSilent):
            return "Here: see that pacs.host and pacs.port are right. On the way: see that a firewall lets us through."
        return f"At the PACS: its log tells more of {self.peer.own_title}, at this time."

    @property
    def _ask_administrator(self) -> str:
        port = f"   port {self.receiver.port}" if self.receiver is not None else ""
        return (
            f"Ask the PACS administrator to add:  AE title {self.peer.own_title}   host {self.own_host}{port}   "
            "(C-STORE, C-FIND, C-GET, C-MOVE)"
        )

    def _echo(self) -> tuple[bool, str, str]:
        association = associations.connect(self.peer, pacs_contexts.ECHOING)
        try:
            association.echo()
        finally:
            association.release()
        return True, association.implementation, ""

    def _find(self) -> tuple[bool, str, str]:
        keys = ("0020000D", *_COUNTS)
        identifier: JSONDataset = {tag: {"vr": "UI" if tag == "0020000D" else "IS"} for tag in keys}
        identifier |= {"00080052": {"vr": "CS", "Value": ["STUDY"]}, "00080061": {"vr": "CS"}}
        ordered = dict(sorted(identifier.items()))
        association = associations.connect(self.peer, pacs_contexts.QUESTIONS)
        try:
            syntax, matches, last = association.find(
                pacs_contexts.FIND, lambda where: datasets.write_dataset(ordered, where), 1
            )
        finally:
            association.release()
        fault = statuses.to_fault(number(last, "Status"), deed="C-FIND")
        if fault is not None:
            return False, fault.message, f"At the PACS: allow C-FIND of the study root to {self.peer.own_title}."
        if not matches.identifiers:
            return True, "study level; it has no study", ""
        found = datasets.read_dataset(matches.identifiers[0], syntax)
        told = [words for tag, words in _COUNTS.items() if found.get(tag, {}).get("Value")]
        return True, "; ".join(("study level", *(told or ["it counts nothing: the gateway does"]))), ""

    def _get(self) -> tuple[bool, str, str]:
        association = associations.connect(self.peer, pacs_contexts.GETTING)
        try:
            if association.syntaxes(pacs_contexts.GET):
                return True, "instances come on the asking association", ""
        finally:
            association.release()
        advice = "At the PACS: allow C-GET. Or here: set pacs.retrieve to move."
        return self.way != "get", "refused by the PACS; using C-MOVE", advice if self.way == "get" else ""

    def _move(self) -> tuple[bool, str, str]:
        """One instance is moved here in earnest: many look at the destination only when they have something for it."""
        if self.receiver is None:
            return True, "not set up here (pacs.move_port is 0)", ""
        instance = self._any_instance()
        if instance is None:
            return True, "not tried: the PACS has no instance", ""
        identifier = pacs_questions.retrieval_identifier(instance)
        association = associations.connect(self.peer, pacs_contexts.MOVING)
        try:
            if not association.syntaxes(pacs_contexts.MOVE):
                return False, "refused by the PACS", f"At the PACS: allow C-MOVE to {self.peer.own_title}."
            with self.receiver.expecting([instance.instance or ""], _drop) as came:
                done = association.move(
                    pacs_contexts.MOVE,
                    lambda where: datasets.write_dataset(identifier, where),
                    self.receiver.title,
                    lambda: True,
                )
                return self._judge_move(done, came())
        finally:
            association.release()

    def _judge_move(self, done: Suboperations, came: int) -> tuple[bool, str, str]:
        if done.status == Status.DESTINATION_UNKNOWN:
            return False, f"0x{statuses.describe(done.status)}", self._ask_administrator
        if not came:
            says = f"the PACS answered 0x{statuses.describe(done.status)} and nothing came"
            return False, says, f"On the way: see that a firewall lets the PACS through. {self._ask_administrator}"
        return True, "an instance came", ""

    def _any_instance(self) -> Target | None:
        pool = Pool(self.peer, most=1, keep_seconds=0)
        try:
            questions = Questions(pool)
            keys: JSONDataset = {"00080052": {"vr": "CS", "Value": ["STUDY"]}, "0020000D": {"vr": "UI"}}
            for study in questions.find(keys, 1).found:
                uid = next(iter(elements.texts(study.get("0020000D", {}))), "")
                return questions.instances(questions.series(uid)[0].target)[0].target
        except errors.NotFound:
            return None
        finally:
            pool.close()
        return None


def _drop(incoming: Incoming) -> int:
    for _ in incoming.fragments:
        pass
    return associations.SUCCESS
