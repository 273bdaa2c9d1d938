"""Which mail addresses are taken."""

from __future__ import annotations

import pytest

from lab.errors import InputError
from lab.mail import check_mail


@pytest.mark.parametrize(
    "text", ["ann@lab.example", "a.b-c_d+e@x.y.example", "1@a1.example", "A@X.EXAMPLE"]
)
def test_a_plain_address_is_taken(text: str) -> None:
    assert check_mail(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ann",
        "ann@localhost",
        "@x.example",
        "a..b@x.example",
        ".a@x.example",
        "a@-x.example",
        "a@x-.example",
        "a@x..example",
        "a b@x.example",
        "a@x.example\nBcc: b@x.example",
        "a@x.example,b@x.example",
        "a@x.example&to=b@x.example",
        "a%40b@x.example",
        '"a"@x.example',
        "<a@x.example>",
        "张@x.example",
        "a" * 65 + "@x.example",
        "a@" + "x" * 64 + ".example",
        "a@" + "x." * 130 + "example",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="is not a mail address"):
        check_mail(text)
