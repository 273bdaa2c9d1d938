"""A captured terminal as an SVG picture.

    tmux capture-pane -e -p -t PANE | python docs/pictures/from-terminal.py TITLE >NAME.svg

What stands in the picture is what stood on the terminal: nothing is added but the frame.
"""

import io
import re
import sys

# rich names the format in its documentation, but does not export it.
from rich.console import CONSOLE_SVG_FORMAT, Console  # type: ignore[attr-defined]
from rich.terminal_theme import MONOKAI
from rich.text import Text

COLUMNS = 100
FONTS = "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace"


def picture(captured: str, title: str) -> str:
    """SVG without a font to download: a picture in a repository must not need the network."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    for line in captured.rstrip().splitlines():
        console.print(Text.from_ansi(line), no_wrap=True, overflow="crop", crop=True)
    plain = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    plain = re.sub(r"font-family: [^;]+;", f"font-family: {FONTS};", plain)
    return console.export_svg(title=title, theme=MONOKAI, code_format=plain, unique_id="terminal")


if __name__ == "__main__":
    sys.stdout.write(picture(sys.stdin.read(), sys.argv[1] if len(sys.argv) > 1 else "") + "\n")
