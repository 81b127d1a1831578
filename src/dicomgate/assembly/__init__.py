"""Settings become running parts: the only room that names concrete classes of several rooms."""

from __future__ import annotations

from dicomgate.assembly.applications import application
from dicomgate.assembly.archives import limits, open_archive, open_folder, open_index, rebuild
from dicomgate.assembly.destinations import name_destinations
from dicomgate.assembly.doors import door_settings, open_house
from dicomgate.assembly.facades import open_facade, open_remote, serve_facade
from dicomgate.assembly.following import following
from dicomgate.assembly.gateways import gateway_folder, open_pacs, pacs_check, pacs_plan
from dicomgate.assembly.places import INDEX, is_archive
from dicomgate.assembly.relays import (
    clear_garbage,
    find_forwarded,
    open_relay,
    open_waiting,
    relay_folder,
    serve_relay,
)
from dicomgate.assembly.serving import serve

__all__ = [
    "INDEX",
    "application",
    "clear_garbage",
    "door_settings",
    "find_forwarded",
    "following",
    "gateway_folder",
    "is_archive",
    "limits",
    "name_destinations",
    "open_archive",
    "open_facade",
    "open_folder",
    "open_house",
    "open_index",
    "open_pacs",
    "open_relay",
    "open_remote",
    "open_waiting",
    "pacs_check",
    "pacs_plan",
    "rebuild",
    "relay_folder",
    "serve",
    "serve_facade",
    "serve_relay",
]
