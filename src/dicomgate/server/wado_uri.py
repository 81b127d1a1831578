"""WADO-URI: one instance by query, as a PS3.10 file; pictures are not made here yet, which is 406 (PS3.18 §9)."""

from __future__ import annotations

import contextlib

from dicomgate.dicomweb import wado_uri
from dicomgate.server import retrieve as wado_rs
from dicomgate.server.answers import Answer
from dicomgate.server.requests import Request


def retrieve(request: Request) -> Answer:
    """The instance that the query names, in the transfer syntax it names."""
    asked = wado_uri.parse(request.pairs, request.accept)
    with contextlib.ExitStack() as held:
        instance = next(held.enter_context(request.door.origin.retrieve.retrieve(asked.target)))
        facts = instance.facts
        offer = wado_uri.choose(
            asked.wishes,
            facts.transfer_syntax,
            is_lossy=facts.is_lossy,
            has_frames=facts.frame_count > 0,
            is_sound=instance.is_sound,
        )
        answer = wado_rs.single(request, instance, offer)
        answer.resources.push(held.pop_all())
        return answer
