"""What a gateway needs of a PACS, tried one after the other, with what to change and at whose side where it fails."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from dicomgate import errors
from dicomgate.dicom import elements
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.uids import Target
from dicomgate.dimse import associations, datasets, pacs_contexts, pacs_questions, statuses
from dicomgate.dimse.associations import Busy, Incoming, Mute, NotAccepted, Peer, Rejected, Suboperations, Unopened
from dicomgate.dimse.pacs_fetch import Fetcher, NoGet, Way, Wish
from dicomgate.dimse.pacs_questions import Listed, Questions
from dicomgate.dimse.pool import Pool
from dicomgate.dimse.receiver import Receiver
from dicomgate.dimse.statuses import Status

NOT_SET_UP: Final = "not set up here (pacs.move_port is 0)"
_ALLOW_GET: Final = "At the PACS: allow C-GET. Or here: set pacs.retrieve to move."
_COUNTS: Final = {"00080061": "ModalitiesInStudy", "00201206": "it counts series", "00201208": "it counts instances"}


@dataclass(frozen=True, slots=True)
class Probe:
    """One thing that was tried. `advice`: what to change, at whose side, a line each; empty where all is well."""

    name: str
    is_good: bool
    says: str
    advice: str = ""
    seconds: float = 0.0


@dataclass(slots=True, kw_only=True)
class Check:
    """Probes one PACS. `own_host`: how the PACS reaches us, for what is advised.

    `receiver`: where a C-MOVE goes, or `why_none` there is none.
    """

    peer: Peer
    receiver: Receiver | None
    own_host: str
    way: Way = "auto"
    why_none: str = NOT_SET_UP
    _instance: Listed | None = field(default=None, init=False)
    _has_got: bool = field(default=False, init=False)

    def probes(self) -> Iterator[Probe]:
        """Each probe when it has been tried; those that cannot succeed after a failure are left out."""
        for name, deed in (("C-ECHO", self._echo), ("C-FIND", self._find)):
            probe = self._timed(name, deed)
            yield probe
            if not probe.is_good:
                return
        if self.way != "move":
            yield self._timed("C-GET", self._get)
        if self.way != "get":
            yield self._excused(self._timed("C-MOVE", self._move))

    def _timed(self, name: str, deed: Callable[[], tuple[bool, str, str]]) -> Probe:
        began = time.monotonic()
        try:
            is_good, says, advice = deed()
        except errors.Fault as fault:
            is_good, says, advice = False, fault.message, self._advice(fault)
        return Probe(name, is_good, says, advice, time.monotonic() - began)

    def _excused(self, move: Probe) -> Probe:
        """Where instances come by C-GET, nothing has to be changed for C-MOVE."""
        if move.is_good or not self._has_got:
            return move
        return replace(move, is_good=True, says=f"{move.says}; not needed, for C-GET works", advice="")

    def _advice(self, fault: errors.Fault) -> str:
        reason = (fault.source, fault.reason) if isinstance(fault, Rejected) else None
        if reason == associations.CALLING_UNKNOWN:
            return self._ask_administrator
        if reason == associations.CALLED_UNKNOWN:
            return "Here: set pacs.title to the AE title of the PACS; its administrator knows it."
        if isinstance(fault, Busy):
            return f"At the PACS: end what is open, or allow {self.peer.own_title} more associations. Then try again."
        if isinstance(fault, NotAccepted):
            return f"At the PACS: allow this to the AE title {self.peer.own_title}."
        if isinstance(fault, Unopened | Mute):
            return self._advice_on_opening(is_tls=isinstance(fault, Unopened) and fault.is_tls)
        if isinstance(fault, errors.Unavailable | errors.UpstreamSilent):
            return "Here: see that pacs.host and pacs.port are right. On the way: see that a firewall lets us through."
        return f"At the PACS: its log tells more of {self.peer.own_title}, at this time."

    def _advice_on_opening(self, *, is_tls: bool) -> str:
        """Somebody listens there."""
        if is_tls:
            return (
                "Here: pacs.port must be the port for TLS, pacs.tls_authorities vouch for the PACS's certificate.\n"
                "At the PACS: it must believe ours (pacs.tls_certificate)."
            )
        tls = "" if self.peer.tls is not None else "; where that wants TLS, set pacs.tls"
        return (
            f"Here: pacs.port must be the PACS's port for DICOM{tls}.\nAt the PACS: some go away like this from titles "
            f"that they do not know: is {self.peer.own_title} among those it does? Its log tells more."
        )

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
        fault = statuses.to_fault(last.status, deed="C-FIND")
        if fault is not None:
            return False, fault.message, f"At the PACS: allow C-FIND of the study root to {self.peer.own_title}."
        if not matches.identifiers:
            return True, "study level; it has no study", ""
        found = datasets.read_dataset(matches.identifiers[0], syntax)
        told = [words for tag, words in _COUNTS.items() if found.get(tag, {}).get("Value")]
        return True, "; ".join(("study level", *(told or ["it counts nothing: the gateway does"]))), ""

    def _get(self) -> tuple[bool, str, str]:
        """One instance comes in earnest: an association that is open for it tells little."""
        advice = _ALLOW_GET if self.way == "get" else ""
        instance = self._any_instance()
        pool = Pool(self.peer, most=1, keep_seconds=0)
        try:
            if instance is not None:
                Fetcher(pool, None).get(_wish(instance))
                self._has_got = True
                return True, "an instance came on the asking association", ""
            with pool.association(pacs_contexts.GETTING) as association:
                if association.syntaxes(pacs_contexts.GET):
                    return True, "not tried further: the PACS has no instance", ""
            return self.way != "get", "refused by the PACS; using C-MOVE", advice
        except NoGet as fault:
            return self.way != "get", f"{fault}; using C-MOVE", advice
        finally:
            pool.close()

    def _move(self) -> tuple[bool, str, str]:
        """One instance is moved here in earnest: many look at the destination only when they have something for it."""
        if self.receiver is None:
            return True, self.why_none, ""
        instance = self._any_instance()
        if instance is None:
            return True, "not tried: the PACS has no instance", ""
        target = instance.target
        association = associations.connect(self.peer, pacs_contexts.MOVING)
        try:
            if not association.syntaxes(pacs_contexts.MOVE):
                return False, "refused by the PACS", f"At the PACS: allow C-MOVE to {self.peer.own_title}."
            with self.receiver.expecting([target.instance or ""], _drop) as came:
                done = association.move(pacs_contexts.MOVE, self._writer(target), self.receiver.title, lambda: True)
                return self._judge_move(done, came())
        finally:
            association.release()

    def _writer(self, target: Target) -> Callable[[str], bytes]:
        identifier = pacs_questions.retrieval_identifier(Target(target.study, target.series), [target.instance or ""])
        return lambda syntax: datasets.write_dataset(identifier, syntax)

    def _judge_move(self, done: Suboperations, came: int) -> tuple[bool, str, str]:
        if done.status == Status.DESTINATION_UNKNOWN:
            return False, f"0x{statuses.describe(done.status)}", self._ask_administrator
        if not came:
            says = f"the PACS answered 0x{statuses.describe(done.status)} and nothing came"
            return False, says, f"On the way: see that a firewall lets the PACS through. {self._ask_administrator}"
        return True, "an instance came", ""

    def _any_instance(self) -> Listed | None:
        """The first that is found, looked for once."""
        if self._instance is not None:
            return self._instance
        pool = Pool(self.peer, most=1, keep_seconds=0)
        try:
            questions = Questions(pool)
            keys: JSONDataset = {"00080052": {"vr": "CS", "Value": ["STUDY"]}, "0020000D": {"vr": "UI"}}
            for study in questions.find(keys, 1).found:
                uid = next(iter(elements.texts(study.get("0020000D", {}))), "")
                self._instance = questions.instances(questions.series(uid)[0].target)[0]
        except errors.NotFound:
            return None
        finally:
            pool.close()
        return self._instance


def _wish(instance: Listed) -> Wish:
    series = Target(instance.target.study, instance.target.series)
    return Wish(series=series, instances=[instance], is_whole=False, take=_drop, is_wanted=lambda: True)


def _drop(incoming: Incoming) -> int:
    for _ in incoming.fragments:
        pass
    return Status.SUCCESS
