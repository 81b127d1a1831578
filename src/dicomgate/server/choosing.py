"""The one representation of bulk data that is sent, and whether it has to be made (PS3.18 §8.7.8, §8.7.3.3)."""

from __future__ import annotations

from collections.abc import Callable

from dicomgate.dicomweb import negotiation
from dicomgate.dicomweb.negotiation import Offer
from dicomgate.dicomweb.offers import Offers, Stored
from dicomgate.origin import Instance
from dicomgate.representations import possible
from dicomgate.representations.frame_making import FrameMaker
from dicomgate.server.parts import Part
from dicomgate.server.requests import Request


def choose(request: Request, instance: Instance, offered: Callable[[Stored], Offers]) -> Offer:
    """The best offer of what can be had of an instance. NotAcceptable, with all that could be had."""
    wanted = request.wishes(is_bulk=True)
    found = negotiation.find(wanted, offered(possible.look(instance, wanted)))
    if found is None:
        raise negotiation.not_acceptable(offered(possible.look_closely(instance)))
    return found


def frame_maker(request: Request, instance: Instance, offer: Offer) -> FrameMaker:
    """What makes frames as they are offered. NotAcceptable when the data set does not describe them."""
    assert offer.transfer_syntax is not None, "bulk data has a transfer syntax"
    return FrameMaker(
        maker=request.door.maker,
        instance=instance,
        description=possible.describe(instance),
        transfer_syntax=offer.transfer_syntax,
    )


def made_part(content_type: str, location: str, content: bytes) -> Part:
    """A frame that was made, of which any span can be had."""
    return Part(
        content_type=content_type,
        location=location,
        size=len(content),
        chunks=iter([content]),
        read=lambda span: iter([content[span.start : span.stop]]),
    )
