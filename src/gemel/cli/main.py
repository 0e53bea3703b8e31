"""The `gemel` command: which verbs there are, and how every failure ends.

Exit 0: done. 1: an error that the message explains. 2: a command line that makes no sense. 3: a
gate failed. 130: stopped by Ctrl-C. A traceback is shown only with `--debug`.
"""

from __future__ import annotations

import errno
import os
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from gemel import __version__
from gemel.cli import show
from gemel.cli.verbs import UsageError, Verbs
from gemel.errors import GemelError, InvalidInput

INTERRUPTED = 130
DISK = {
    errno.EACCES: "look at the permissions of the folder",
    errno.EPERM: "look at the permissions of the folder",
    errno.EROFS: "choose a folder that can be written",
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space",
    errno.EIO: "look at the disk",
    errno.EMFILE: "allow more open files (ulimit -n)",
    errno.ENAMETOOLONG: "choose a shorter name",
}
"""What the system refuses that is nobody's mistake in here, and what to do about it."""

app = typer.Typer(
    name="gemel",
    cls=Verbs,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        show.out(f"gemel {__version__}")
        raise typer.Exit


@app.callback()
def root(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", is_eager=True, callback=_version)
    ] = False,
) -> None:
    """Learn a similarity from records, decide with stated error rates, operate the result."""


def run(argv: Sequence[str]) -> int:
    """Exit code of one command line; every failure has been shown.

    Args:
        argv: the words behind `gemel`.
    """
    debug = "--debug" in argv
    try:
        _check_text(argv)
        code = typer.main.get_command(app).main(
            args=list(argv), prog_name="gemel", standalone_mode=False
        )
        sys.stdout.flush()
        if code == INTERRUPTED:  # which typer makes of a KeyboardInterrupt
            show.say("stopped")
        return code if isinstance(code, int) else 0
    except UsageError as e:
        return _usage(e)
    except (show.Stopped, typer.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:  # whoever read our output has gone
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115  # stays open until exit
        return 1
    except GemelError as e:
        if debug:
            traceback.print_exc()
        show.error(e)
        return e.exit_code
    except Exception as e:
        if isinstance(e, OSError) and e.errno in DISK:
            show.error(_of_disk(e))
            return 1
        return _unexpected(e, debug)


def main() -> None:
    """Run the command line of this process."""
    show.in_any_encoding()
    sys.exit(run(sys.argv[1:]))


def _check_text(argv: Sequence[str]) -> None:
    """Raise unless every word is text: no settings, release or ledger can hold another name."""
    encoding = sys.getfilesystemencoding()
    for word in argv:
        if any("\udc80" <= c <= "\udcff" for c in word):
            if encoding == "utf-8":
                what, hint = "this name is not UTF-8", "rename the file"
            else:
                what = f"not to be read as {encoding}, the encoding that this terminal is set to"
                hint = "set PYTHONUTF8=1, or LC_ALL to a locale of UTF-8"
            shown = os.fsencode(word).decode("utf-8", "backslashreplace")
            raise InvalidInput(what, where=shown, hint=hint)


def _of_disk(e: OSError) -> GemelError:
    return GemelError(
        (e.strerror or str(e)).lower(), where=str(e.filename or ""), hint=DISK[e.errno or 0]
    )


def _usage(e: Any) -> int:
    if type(e).__name__ == "NoArgsIsHelpError":
        show.say(e.format_message())
        return 2
    command = e.ctx.command_path if e.ctx else "gemel"
    show.say(f"error: {' '.join(e.format_message().split()).replace('Value error, ', '')}")
    show.say(f"hint: {_as_setting(e, command)}{command} --help")
    return 2


def _as_setting(e: Any, command: str) -> str:
    """How a setting is given that was written as an option; empty if there is none of that name."""
    from gemel.config import called

    takes = e.ctx is not None and any("--set" in option.opts for option in e.ctx.command.params)
    word = getattr(e, "option_name", "").lstrip("-").replace("-", "_")
    found = called(word) if takes else []
    found = [key for key in found if key.startswith(f"{command.split()[-1]}.")] or found
    return f"{command} --set {' or '.join(found)}=...; or see " if 0 < len(found) < 4 else ""


def _unexpected(e: Exception, debug: bool) -> int:
    if debug:
        traceback.print_exc()
        return 1
    handle, name = tempfile.mkstemp(prefix="gemel-error-", suffix=".log")
    os.close(handle)
    text = f"gemel {__version__}, {' '.join(sys.argv)}\n{traceback.format_exc()}"
    Path(name).write_text(text, encoding="utf-8", errors="backslashreplace")
    show.say(f"error: unexpected {type(e).__name__}: {' '.join(str(e).split())[:300]}")
    show.say(f"hint: this is a bug; the details are in {name}")
    return 1
