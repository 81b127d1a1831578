"""`dicomgate`: the verbs, each loaded when it is asked for, and the one table from faults to exit codes."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Final

import click
from click.shell_completion import CompletionItem

from dicomgate import __version__, config, errors, extras

DONE: Final = 0
OUR_FAULT: Final = 1
USAGE: Final = 2
PARTLY: Final = 3
NOTHING: Final = 4
NOT_ALLOWED: Final = 5
NOT_REACHABLE: Final = 6
STOPPED: Final = 130

EXITS: Final[tuple[tuple[type[errors.Fault], int], ...]] = (
    (config.WrongSetting, USAGE),
    (errors.Malformed, USAGE),
    (errors.NotFound, NOTHING),
    (errors.NotAcceptable, NOTHING),
    (errors.Forbidden, NOT_ALLOWED),
    (errors.NotAllowed, NOT_ALLOWED),
    (errors.UpstreamFailed, NOT_REACHABLE),
    (errors.Fault, OUR_FAULT),
)
"""The first that fits."""

EXIT_CODES: Final[dict[int, str]] = {
    DONE: "done",
    OUR_FAULT: "a fault of ours, or of this machine",
    USAGE: "wrong usage, or a wrong setting",
    PARTLY: "done in part",
    NOTHING: "nothing found",
    NOT_ALLOWED: "not allowed",
    NOT_REACHABLE: "not reachable",
    STOPPED: "stopped",
}
"""What each code says, for --help, the manual pages and docs/how-to/find-get-sync.md."""

VERBS: Final[dict[str, str]] = {
    "serve": "Serve a data folder or a folder of files over DICOMweb.",
    "gateway": "Put a PACS that speaks DIMSE alone on the web: init, check, run.",
    "show": "Show what a file or instance says, or its picture, in the terminal.",
    "find": "Find studies, series and instances in a folder or on a server.",
    "get": "Get studies, series and instances as files.",
    "sync": "Copy what is missing from a folder or server to another.",
    "store": "Store files in a data folder or on a DICOMweb server.",
    "check": "Probe a DICOMweb server against the standard.",
    "convert": "Convert series to enhanced multi-frame objects and back (Supplement 157).",
    "relay": "Send on what is stored by DIMSE; offer a server to DIMSE programs, or an archive at a hub.",
    "demo": "Make sample studies and serve them.",
    "admin": "Look after a data folder: verify, reindex, problems, index, correct; manual pages.",
    "config": "Show the settings and where each value came from; name servers.",
    "completion": "Print what a shell needs to complete what dicomgate takes.",
}
"""Every verb with the line that --help gives it; the module of the same name holds it."""


class Verbs(click.Group):
    """A group that imports a verb's module when the verb is used, so that --help stays quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The verbs in the order of the table."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The verb, loaded."""
        if cmd_name not in VERBS:
            return None
        command = getattr(importlib.import_module(f"dicomgate.cli.{cmd_name}"), cmd_name)
        assert isinstance(command, click.Command)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The verbs that begin so, without loading one."""
        verbs = [CompletionItem(verb, help=says) for verb, says in VERBS.items() if verb.startswith(incomplete)]
        return verbs + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """The verbs with their lines, without loading one."""
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The verb that is meant; an unknown one is said so with the ones there are."""
        if args and args[0] not in VERBS and not args[0].startswith("-") and not ctx.resilient_parsing:
            raise click.UsageError(f"no verb {args[0]!r}; there are {', '.join(VERBS)}", ctx)
        return super().resolve_command(ctx, args)


@click.group(
    cls=Verbs,
    subcommand_metavar="VERB ...",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: " + "; ".join(f"{code} {words}" for code, words in EXIT_CODES.items()) + ".",
)
@click.version_option(__version__, prog_name="dicomgate", message="%(prog)s %(version)s")
def dicomgate() -> None:
    """DICOM web services: store, search and retrieve medical images over plain HTTP."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a verb and leave with its exit code."""
    code = run(arguments)
    if code == STOPPED:
        # All is put in order by now; a thread that waits for a server's answer shall not hold up who said stop.
        sys.stdout.flush()
        os._exit(code)
    sys.exit(code)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a verb; its exit code. What goes wrong is one line on standard error."""
    try:
        with extras.needed():
            code = dicomgate.main(args=arguments, prog_name="dicomgate", standalone_mode=False)
    except errors.Fault as fault:
        _say(fault.message)
        return next(code for kind, code in EXITS if isinstance(fault, kind))
    except click.ClickException as fault:
        fault.show()
        return USAGE
    except (click.Abort, KeyboardInterrupt):
        _say("stopped")
        return STOPPED
    except OSError as fault:
        _say(f"{fault.filename}: {fault.strerror}" if fault.filename else str(fault.strerror))
        return OUR_FAULT
    return code if isinstance(code, int) else DONE


def _say(message: str) -> None:
    click.echo(f"dicomgate: {message}", err=True)
