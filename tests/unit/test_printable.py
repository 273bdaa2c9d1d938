"""What text of others looks like where it is printed."""

from __future__ import annotations

import json

import pytest

from lab.printable import in_line, printable, printable_json


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("\x1b[2J\x1b]0;title\x07", r"\x1b[2J\x1b]0;title\x07"),
        ("\x9b31m", r"\x9b31m"),
        ("safe\u202efdp.exe\u2066", r"safe\u202efdp.exe\u2066"),
        ("\r100 %\x08\x7f\x00", r"\r100 %\x08\x7f\x00"),
        ("a\u2028b\x85c\x0bd", r"a\u2028b\x85c\x0bd"),
        ("zero\u200bwidth\ufeff", r"zero\u200bwidth\ufeff"),
        ("cut\udcff\U000e0041", r"cut\udcff\U000e0041"),
        ("张三 é 1\u00a0GiB\u3000— ✓ 🙂\tend", "张三 é 1\u00a0GiB\u3000— ✓ 🙂\tend"),
        ("two\nlines", "two\nlines"),
        ("", ""),
    ],
)
def test_every_character_is_seen_and_none_obeyed(text: str, seen: str) -> None:
    assert printable(text) == seen


def test_long_lines_and_many_of_them_are_cut() -> None:
    assert printable("x" * 5, line=4) == "xxx…"
    assert printable("\x1b" * 4, line=8) == "\\x1b\\x1…"
    assert printable("abcd", line=4) == "abcd"
    many = "\n".join(map(str, range(10)))
    assert printable(many, lines=4) == "0\n1\n… 6 lines …\n8\n9"
    assert printable(many, lines=10) == many
    assert len(printable("\x1b" * 10_000_000, lines=200)) == 4000


def test_a_part_of_a_line_has_no_newline() -> None:
    assert in_line("a\nb\tc\x1b") == r"a\nb\tc\x1b"
    assert len(in_line("\n" * 500)) == 80


def test_json_stays_json_and_holds_what_it_held() -> None:
    document = {"a\x9b": ["\x1b[1m", "\u202e", "张 é\u00a0", "\x7f", "\ue000", "😀\U000e0001"]}
    text = printable_json(document)
    assert json.loads(text) == document
    assert text.split("\n") == [
        "{",
        '  "a\\u009b": [',
        '    "\\u001b[1m",',
        '    "\\u202e",',
        '    "张 é\u00a0",',
        '    "\\u007f",',
        '    "\\ue000",',
        '    "😀\\udb40\\udc01"',
        "  ]",
        "}",
    ]
