"""What the services offer, told by themselves: the capabilities description (PS3.18 §8.9, Annex H; CAP-01 to CAP-06).

The addresses stand in one table. What is at each is asked of the router; media types, parameters and keys come from the
tables that requests are answered by, so that nothing here can be forgotten or promised.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from dicomgate.dicom import attributes, syntaxes
from dicomgate.dicom.uids import Level
from dicomgate.dicomweb import media_types, negotiation, offers, query, rendered_offers, rendering, resources, wado_uri
from dicomgate.dicomweb.media_types import MediaType
from dicomgate.dicomweb.negotiation import Offer
from dicomgate.dicomweb.offers import Stored
from dicomgate.dicomweb.resources import Kind, Resource
from dicomgate.dicomweb.wadl import Element

WADL: Final = "application/vnd.sun.wadl+xml"
OFFERS: Final = (
    Offer(media_type=WADL, is_multipart=False),
    Offer(media_type=media_types.DICOM_JSON, is_multipart=False),  # as which `application/json` is read
)
"""The description itself: WADL, and the same as JSON (CAP-02)."""

Methods = Callable[[Resource], Sequence[str]]

_LEVEL_PATHS: Final = {
    Level.STUDY: "studies/{study}",
    Level.SERIES: "studies/{study}/series/{series}",
    Level.INSTANCE: "studies/{study}/series/{series}/instances/{instance}",
}
_OF_TARGET: Final = ("metadata", "rendered", "thumbnail", "bulkdata", "pixeldata")
PATHS: Final[tuple[str, ...]] = (
    "studies",
    *(
        path
        for level, target in _LEVEL_PATHS.items()
        for path in (
            target,
            *(f"{target}/{name}" for name in _OF_TARGET),
            *((f"{target}/bulkdata/{{bulkdata}}",) if level is Level.INSTANCE else ()),
            *((f"{target}/frames/{{frames}}",) if level is Level.INSTANCE else ()),
            *((f"{target}/frames/{{frames}}/rendered",) if level is Level.INSTANCE else ()),
            *((f"{target}/frames/{{frames}}/thumbnail",) if level is Level.INSTANCE else ()),
            *((f"{target}/versions", f"{target}/versions/{{version}}") if level is Level.INSTANCE else ()),
            *((f"{target}/series",) if level is Level.STUDY else ()),
            *((f"{target}/instances",) if level is not Level.INSTANCE else ()),
        )
    ),
    "series",
    "instances",
)
"""Every address below the service's root, as a template (Tables 10.3-2, 10.6.1-1, H-1, and our extensions)."""

_SAMPLES: Final = {
    "{study}": "1.2",
    "{series}": "1.2.3",
    "{instance}": "1.2.3.4",
    "{frames}": "1",
    "{bulkdata}": "7FE00010",
    "{version}": "1",
}
_TEXTS: Final = {
    "study": "Study Instance UID",
    "series": "Series Instance UID",
    "instance": "SOP Instance UID",
    "frames": "frame numbers from 1, ascending, separated by commas",
    "bulkdata": "the place of a value, as BulkDataURI in metadata names it",
    "version": "from 1, in the order of their coming",
}
_NAME: Final = {Level.STUDY: "Study", Level.SERIES: "Series", Level.INSTANCE: "Instance"}
_MANY: Final = {Level.STUDY: "Studies", Level.SERIES: "Series", Level.INSTANCE: "Instances"}
_ABOVE: Final = {None: "", Level.STUDY: "Study", Level.SERIES: "StudySeries"}
_STATUSES: Final = {
    # What an answer that is no failure may be, and the failures that only this transaction has (CAP-03).
    Kind.SEARCH: ("200", "400 406 413"),
    Kind.INSTANCES: ("200 206 304", "400 404 406 410 416"),
    Kind.METADATA: ("200 304", "400 404 406 410"),
    Kind.FRAMES: ("200 206 304", "400 404 406 410 416"),
    Kind.BULKDATA: ("200 206 304", "400 404 406 410 416"),
    Kind.PIXELDATA: ("200 206 304", "400 404 406 410 416"),
    Kind.RENDERED: ("200 304", "400 404 406 410 413"),
    Kind.THUMBNAIL: ("200 304", "400 404 406 410 413"),
    Kind.VERSIONS: ("200", "400 404 406 410"),
}
_CHANGED: Final = {
    "POST": ("200 202", "400 409 411 413 415 503 507"),
    "PATCH": ("200", "400 404 409 410 413 415 503 507"),
    "DELETE": ("204", "404 410"),
}


@dataclass(frozen=True, slots=True)
class Transaction:
    """One method of one address: its name in the standard, what is taken and given, and the parameters it knows."""

    path: str
    method: str
    name: str
    parameters: tuple[str, ...]
    takes: tuple[str, ...]
    gives: tuple[str, ...]
    statuses: tuple[str, str]


def resource_of(path: str) -> Resource:
    """The resource that a template leads to, by the router."""
    for name, sample in _SAMPLES.items():
        path = path.replace(name, sample)
    return resources.parse(f"/{path}")


def transactions(methods: Methods) -> tuple[Transaction, ...]:
    """Everything that can be done below the root; `methods`: what the door lets be done with a resource."""
    return tuple(
        _transaction(path, method, resource)
        for path in PATHS
        for resource in (resource_of(path),)
        for method in methods(resource)
        if method != "HEAD"  # HTTP gives it with GET
    )


def describe(base: str, found: Iterable[Transaction], below: str = "", views: Iterable[str] = ()) -> Element:
    """The description: of everything, or of what `below` (a template) leads to. `views`: roots below this one."""
    chosen = [each for each in found if not below or each.path == below or each.path.startswith(f"{below}/")]
    tree = _tree("", chosen, {path for each in chosen for path in _ancestors(each.path)})
    others = () if below else tuple(map(_view, views))
    return Element("application", (), (Element("resources", (("base", base),), (*tree, *others)),))


def _view(name: str) -> Element:
    """Where the same is read as a view shows it (LC-34), which describes itself."""
    says = f"the same, read only, in the {name} view; also by the parameter QueryRetrieveView={name.upper()}"
    return Element("resource", (("path", name),), (Element("doc", (), (), says),))


def describe_wado_uri(base: str, path: str) -> Element:
    """The description of the URI service: one address, everything said by parameters (PS3.18 §9)."""
    pictures = (*rendered_offers.PICTURES, *rendered_offers.TEXTS)
    found = Transaction(
        path=path,
        method="GET",
        name="RetrieveURI",
        parameters=wado_uri.PARAMETERS,
        takes=(),
        gives=(*pictures, media_types.DICOM),
        statuses=("200 206 304", "400 404 406 410"),
    )
    resource = Element("resource", (("path", path),), (_method(found),))
    return Element("application", (), (Element("resources", (("base", base),), (resource,)),))


def is_negotiated(transfer_syntax: str) -> bool:
    """False for the transfer syntaxes that no request may name (GEN-09)."""
    return Offer(media_type=media_types.DICOM, is_multipart=False, transfer_syntax=transfer_syntax).can_be_named


def template_of(resource: Resource) -> str:
    """The template that leads to resources like this one."""
    return next(path for path in PATHS if _alike(resource_of(path), resource))


def _alike(one: Resource, other: Resource) -> bool:
    return (
        one.kind is other.kind
        and one.level is other.level
        and (one.target and one.target.level) is (other.target and other.target.level)
        and bool(one.frames) == bool(other.frames)
        and bool(one.bulk) == bool(other.bulk)
        and bool(one.version) == bool(other.version)
    )


# One transaction.


def _transaction(path: str, method: str, resource: Resource) -> Transaction:
    if method == "GET":
        return Transaction(
            path=path,
            method=method,
            name=_reading_name(resource),
            parameters=_parameters(resource),
            takes=(),
            gives=given(resource),
            statuses=_STATUSES[resource.kind],
        )
    return Transaction(
        path=path,
        method=method,
        name=_changing_name(method, resource),
        parameters=("accept",) if method == "POST" else (),
        takes={"POST": _taken(), "PATCH": (media_types.DICOM_JSON,), "DELETE": ()}[method],
        gives=() if method == "DELETE" else _texts(offers.STORE_REPORT if method == "POST" else offers.METADATA[:1]),
        statuses=_CHANGED[method],
    )


def _reading_name(resource: Resource) -> str:
    """The names of Supplement 170 (CAP-04), and of the same kind for what came later."""
    name = _NAME[resource.level]
    match resource.kind:
        case Kind.SEARCH:
            fixed = None if resource.target is None else resource.target.level
            return f"SearchFor{_ABOVE[fixed]}{_MANY[resource.level]}"
        case Kind.INSTANCES:
            return f"Retrieve{name}"
        case Kind.METADATA:
            return f"Retrieve{name}Metadata"
        case Kind.FRAMES:
            return "RetrieveFrames"
        case Kind.BULKDATA:
            return "RetrieveBulkData" if resource.bulk else f"Retrieve{name}BulkData"
        case Kind.PIXELDATA:
            return f"Retrieve{name}PixelData"
        case Kind.RENDERED:
            return f"RetrieveRendered{'Frames' if resource.frames else name}"
        case Kind.THUMBNAIL:
            return f"Retrieve{'Frame' if resource.frames else name}Thumbnail"
        case Kind.VERSIONS:
            return "RetrieveInstanceVersion" if resource.version else "SearchForInstanceVersions"


def _changing_name(method: str, resource: Resource) -> str:
    is_of_all = resource.kind is Kind.SEARCH
    if method == "POST":
        return "StoreInstances" if is_of_all else "StoreStudyInstances"
    if method == "PATCH":
        return "CorrectStudies" if is_of_all else "CorrectStudy"
    return f"Delete{_NAME[resource.level]}"


def _parameters(resource: Resource) -> tuple[str, ...]:
    match resource.kind:
        case Kind.SEARCH:
            fixed = resource.target.level if resource.target is not None else 0
            levels = [level for level in Level if fixed < level <= resource.level]
            keys = (attributes.format_path(path) for level in levels for path in attributes.MATCHING_KEYS[level])
            return (*keys, *sorted(query.PARAMETERS))
        case Kind.RENDERED:
            return ("accept", *rendering.PARAMETERS)
        case Kind.THUMBNAIL:
            return ("accept", *rendering.THUMBNAIL_PARAMETERS)
    return ("accept",)


_ANYTHING: Final = tuple(
    Stored(transfer_syntax=uid, is_lossy=is_lossy, encodings=offers.ENCODINGS if syntax.can_decode else ())
    for uid, syntax in syntaxes.TABLE.items()
    for is_lossy in (False, True)
)
"""Whatever may be stored, with pixels that every encoder takes."""


@functools.lru_cache(maxsize=64)
def given(resource: Resource) -> tuple[str, ...]:
    """Every media type in which a resource may be had, by what may be stored there; the default first."""
    many = resource.level is not Level.INSTANCE
    match resource.kind:
        case Kind.SEARCH:
            return _texts(offers.SEARCH)
        case Kind.METADATA:
            return _texts(offers.METADATA)
        case Kind.VERSIONS if not resource.version:
            return (media_types.JSON,)
        case Kind.INSTANCES | Kind.VERSIONS:
            found = (each for stored in _ANYTHING for each in offers.instance_offers(stored, many=many))
            return _texts(
                each for each in found if resource.kind is Kind.INSTANCES or each.media_type != media_types.ZIP
            )
        case Kind.FRAMES:
            return _texts(offer for stored in _ANYTHING for offer in offers.frame_offers(stored, many=False))
        case Kind.PIXELDATA:
            found = (each for one in _ANYTHING for each in offers.pixel_data_offers(one, has_many_frames=True))
            return _texts(offer for offer in found if offer.is_multipart)
        case Kind.BULKDATA if not resource.bulk:
            return _texts(offer for stored in _ANYTHING for offer in offers.collected_bulk_offers(stored))
        case Kind.BULKDATA:
            pixels = (each for one in _ANYTHING for each in offers.pixel_data_offers(one, has_many_frames=False))
            return _texts((*offers.bulk_offers(), *pixels))
        case Kind.THUMBNAIL:
            return rendered_offers.PICTURES
        case _:
            types = (*rendered_offers.PICTURES, *(() if resource.frames else rendered_offers.TEXTS))
            return (*map(_multipart, types), *(() if many else types))


def _taken() -> tuple[str, ...]:
    """Bodies of a store (§10.5.1.1)."""
    parts = (media_types.DICOM, media_types.DICOM_JSON, media_types.DICOM_XML)
    return (*map(_multipart, parts), media_types.DICOM)


def _multipart(type_: str, transfer_syntax: str | None = None) -> str:
    syntax = () if transfer_syntax is None else (("transfer-syntax", transfer_syntax),)
    return media_types.format_media_type(MediaType(media_types.MULTIPART, (("type", type_), *syntax)))


def _texts(offered: Iterable[Offer]) -> tuple[str, ...]:
    """Each as an Accept field would name it, once; what is never negotiated by name is left out (GEN-09)."""
    return tuple(
        dict.fromkeys(
            _multipart(offer.media_type, offer.transfer_syntax) if offer.is_multipart else _alone(offer)
            for offer in offered
            if offer.can_be_named
        )
    )


def _alone(offer: Offer) -> str:
    return f"{offer.content_type}; {negotiation.DIRECTORY}=true" if offer.has_directory else offer.content_type


# The tree.


def _ancestors(path: str) -> list[str]:
    """The templates on the way to one, itself included: an address and its placeholder are steps of their own."""
    steps = path.split("/")
    return ["/".join(steps[: number + 1]) for number in range(len(steps))]


def _tree(above: str, found: Sequence[Transaction], paths: set[str]) -> tuple[Element, ...]:
    depth = above.count("/") + 1 if above else 0
    prefix = f"{above}/" if above else ""
    here = sorted((path for path in paths if path.startswith(prefix) and path.count("/") == depth), key=_place)
    return tuple(_resource(path, found, paths) for path in here)


def _place(path: str) -> int:
    """Where the table has it, or what is below it."""
    return next(number for number, each in enumerate(PATHS) if each == path or each.startswith(f"{path}/"))


def _resource(path: str, found: Sequence[Transaction], paths: set[str]) -> Element:
    step = path.rpartition("/")[2]
    placeholder: tuple[Element, ...] = ()
    if step.startswith("{"):
        name = step.strip("{}")
        doc = Element("doc", (("xml:lang", "en"),), text=_TEXTS[name])
        about = (("name", name), ("style", "template"), ("required", "true"), ("type", "xs:string"))
        placeholder = (Element("param", about, (doc,)),)
    methods = tuple(_method(each) for each in found if each.path == path)
    return Element("resource", (("path", step),), placeholder + methods + _tree(path, found, paths))


def _method(found: Transaction) -> Element:
    request = [_header("Accept", found.gives)] if found.gives else []
    request += [_header("Content-Type", found.takes)] if found.takes else []
    request += [Element("param", (("name", name), ("style", "query"))) for name in found.parameters]
    request += [Element("representation", (("mediaType", type_),)) for type_ in found.takes]
    well, ill = found.statuses
    responses = (
        Element("response", (("status", well),), tuple(_representation(type_) for type_ in found.gives)),
        Element("response", (("status", ill),), tuple(_representation(type_) for type_ in _texts(offers.ERROR))),
    )
    inside = (Element("request", (), tuple(request)), *responses)
    return Element("method", (("name", found.method), ("id", found.name)), inside)


def _header(name: str, values: Sequence[str]) -> Element:
    options = tuple(Element("option", (("value", value),)) for value in values)
    return Element("param", (("name", name), ("style", "header"), ("default", values[0])), options)


def _representation(media_type: str) -> Element:
    return Element("representation", (("mediaType", media_type),))
