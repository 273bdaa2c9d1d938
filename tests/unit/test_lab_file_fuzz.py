"""A thousand hostile files: each is judged, none ends in anything but an answer."""

from __future__ import annotations

import random
import re
import string
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lab.yaml.problems import BadFiles
from lab.yaml.tree import parse_tree
from provision.lab_file.document import Container, Given, LabFile, Person
from provision.lab_file.read import judged
from provision.lab_file.wanted import Wanted
from tests.support.builders.filed import THREE
from tests.support.builders.public_keys import ed25519

FILES = 1_000
SHARES = ("data", "team")
_WORDS = sorted(
    {
        word.replace("_", "-")
        for model in (LabFile, Given, Container, Person)
        for word in model.model_fields
    }
)
_NASTY = (
    "../../etc/shadow",
    "/dev/zero",
    "$(reboot)",
    "`id`",
    "; rm -rf /",
    "bob\\n  eve: {}",
    "\\x1b[2J",
    "\\u202egnp",
    "\\ud83d",
    "\\UFFFFFFFF",
    "\\0",
    "ａｎｎ",
    "张",
    "-",
    "--help",
    "none",
    "all",
    "root",
    "*a",
    "<<",
    "!!python/object/apply:os.system [id]",
    "0x10",
    "1e999",
    ".inf",
    "-1",
    "9999999999999999999999",
    "9999-99-99",
    "2027-01-31",
    "never",
    "16GiB",
    "-5GiB",
    "99999PiB",
    "0000:b1:00.0,idx:9",
    "gh:../..",
    "http://x/y",
    "https://a@b/c",
    "-----BEGIN OPENSSH PRIVATE KEY-----",
    "ssh-rsa AAAA",
    ed25519(),
    "small",
    "students",
    "data",
    "~nobody/x",
)


def hostile(random: random.Random) -> str:
    """A file that is nearly one of ours."""
    kind = random.random()
    if kind < 0.08:
        return _noise(random)
    if kind < 0.13:
        return _bomb(random)
    if kind < 0.4:
        return _nearly(random)
    text = "".join(
        f"{word}: {_value(random, 3)}\n"
        for word in random.sample(["sizes", "groups", "defaults", "containers"], 4)
    )
    if kind < 0.7:
        text = "sizes: {small: {cpus: 1}}\ngroups: {students: {size: small}}\ncontainers:\n" + (
            "".join(
                f"  {_name(random)}: {_value(random, 2)}\n" for _ in range(random.randint(0, 12))
            )
        )
    for _ in range(random.randint(0, 3)):
        at = random.randint(0, len(text))
        text = (
            text[:at]
            + random.choice(["", "\t", "\n", "{", "]", ":", "&a ", "*a", "#", "'"])
            + (text[at + random.randint(0, 3) :])
        )
    return text


def _nearly(random: random.Random) -> str:
    """A file of ours, in which a word or two are another."""
    words = re.split(r"(\s+|[{}:,])", THREE)
    for _ in range(random.randint(0, 2)):
        at = random.randrange(len(words))
        words[at] = random.choice([words[at], _quoted(random), random.choice(_WORDS), "", "7"])
    return "".join(words)


def _noise(random: random.Random) -> str:
    letters = string.printable + "\u2028\x85\ufeff\x00\x1b张"
    return "".join(random.choice(letters) for _ in range(random.randint(0, 400)))


def _bomb(random: random.Random) -> str:
    wide, deep = random.randint(2, 9), random.randint(2, 9)
    if random.random() < 0.3:
        return random.choice(["[", "{a: ", "- ", "? "]) * random.randint(40, 20_000)
    if random.random() < 0.3:
        return f"containers: {{{_name(random)}: {{notes: {'x' * random.randint(1, 1 << 20)}}}}}"
    lines = ["a0: &a0 {cpus: 1}"]
    for level in range(1, deep):
        several = ", ".join(f"k{number}: *a{level - 1}" for number in range(wide))
        lines.append(f"a{level}: &a{level} {{{several}}}")
    return "\n".join([*lines, f"containers: *a{deep - 1}", ""])


def _name(random: random.Random) -> str:
    return random.choice(["ann", "Ann", "ben", "eve", "x" * 70, _quoted(random), _quoted(random)])


def _quoted(random: random.Random) -> str:
    word = random.choice(_NASTY)
    if random.random() < 0.02:
        word *= random.randint(1, 2000)
    return random.choice([f'"{word}"', f"'{word}'", word])


def _value(random: random.Random, depth: int) -> str:
    kind = random.random()
    if depth and kind < 0.6:
        several = ", ".join(
            f"{random.choice([*_WORDS, _name(random)])}: {_value(random, depth - 1)}"
            for _ in range(random.randint(0, 6))
        )
        return f"{{{several}}}"
    if depth and kind < 0.75:
        return f"[{', '.join(_value(random, depth - 1) for _ in range(random.randint(0, 5)))}]"
    return random.choice([_quoted(random), str(random.randint(-10, 1 << 66)), "", "true", "~"])


def judge(text: str) -> tuple[Wanted, ...]:
    """Empty where it is refused; then each line of the answer is a place and a reason."""
    try:
        return judged(parse_tree(text, Path("containers.yaml")), SHARES)
    except BadFiles as error:
        lines = (error.details or "").splitlines()
        assert lines
        assert all(line.startswith("containers.yaml:") for line in lines), lines
        return ()


def test_a_thousand_hostile_files_are_answered() -> None:
    """Always the same ones: a failure can be looked at."""
    source = random.Random(20261127)  # noqa: S311 - the same files each time
    taken = 0
    for _ in range(FILES):
        for one in judge(hostile(source)):
            taken += 1
            # What is taken is a request that `provision` can be asked with.
            assert one.request.name == one.name
    # Not all is refused: else nothing but the refusal would be tried.
    assert taken > 100


@pytest.mark.filterwarnings("ignore::hypothesis.errors.NonInteractiveExampleWarning")
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.dictionaries(
        st.sampled_from(["containers", "sizes", "groups", "defaults", "other"]),
        st.recursive(
            st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=12)),
            lambda inner: st.one_of(
                st.lists(inner, max_size=4),
                st.dictionaries(
                    st.one_of(st.sampled_from(_WORDS), st.text(max_size=8)), inner, max_size=4
                ),
            ),
            max_leaves=12,
        ),
        max_size=5,
    )
)
def test_any_tree_is_answered(tree: dict[str, object]) -> None:
    judge(yaml.safe_dump(tree, allow_unicode=False))
