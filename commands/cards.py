"""The command that makes what a person is sent: the card of their container."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from invoke.context import Context

from commands.cli import command, connect_to, read_settings
from lab import console
from lab.errors import InputError
from lab.names import did_you_mean, quote
from lab.settings.notify import Language

_FORMATS: Final = ("text", "markdown", "html")
_BY_ENDING: Final = {".html": "html", ".htm": "html", ".md": "markdown"}


@command(
    help={
        "name": "The container.",
        "lang": "Language of the card: en or zh. Default: `notify: {lang: …}` in lab.yaml.",
        "format": "text, markdown or html. Default: by the ending of FILE, else text.",
        "to": "Write it to this file, which you alone can read.",
    }
)
def card(
    _c: Context,
    name: str,
    lang: str = "",
    format: str = "",  # noqa: A002 - the option's name
    to: str = "",
) -> None:
    """Make what NAME's person needs to log in and to work, in their language, for any computer."""
    from provision import listing
    from provision.card.content import card_of
    from provision.card.facts import facts_of
    from provision.card.render import render
    from provision.card.words import words_in

    _among("lang", lang, [one.value for one in Language])
    _among("format", format, _FORMATS)
    file = Path(to).expanduser() if to else None
    chosen = format or (_BY_ENDING.get(file.suffix.lower(), "text") if file else "text")
    if file is not None:
        refuse_as_target(file)
    settings = read_settings()
    container = listing.show(connect_to(settings), settings, name)
    words = words_in(Language(lang) if lang else settings.notify.lang)
    text = render(card_of(facts_of(container, settings), words), chosen)
    if file is None:
        console.print_verbatim(text)
        return
    _write(file, text)
    console.print_text(f"{file}: the card of {name}, for you to send. You alone can read it.")


def refuse_as_target(file: Path) -> None:
    """InputError where FILE is something else than a file of its own name, or its place is none."""
    if file.is_symlink():
        raise InputError(
            f"{file} is a link: nothing was written.", fix="Name the file itself: --to FILE"
        )
    if file.exists() and not file.is_file():
        raise InputError(
            f"{file} is not a file: nothing was written.", fix="Name a file: --to FILE"
        )
    if not file.parent.is_dir():
        raise InputError(
            f"There is no directory {file.parent}.", fix=f"Make it: mkdir -p {file.parent}"
        )


def _write(file: Path, text: str) -> None:
    from lab.whole_file import write_whole

    try:
        write_whole(file, text)
    except OSError as error:
        raise InputError(
            f"{file} cannot be written.",
            details=error.strerror or str(error),
            fix="Name another file: --to FILE",
        ) from error


def _among(option: str, text: str, known: Sequence[str]) -> None:
    if text and text not in known:
        raise InputError(
            f"--{option} {quote(text)} is not known{did_you_mean(text, known)}.",
            fix=f"Choose one of: {', '.join(known)}",
        )
