"""containers.yaml as people write it: read as a whole, judged as a whole."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lab.errors import InputError
from lab.gpu_selection import GpuSelection
from lab.yaml.problems import BadFiles
from lab.yaml.tree import parse_tree
from provision.lab_file.key_sources import with_keys
from provision.lab_file.read import judged, read_lab_file
from provision.lab_file.wanted import Wanted
from tests.support.builders.filed import FILE, THREE, read
from tests.support.builders.public_keys import ed25519, fingerprint

GIB = 1 << 30
EXAMPLE = Path(__file__).parents[2] / "containers.example.yaml"


def told(text: str, *shares: str) -> list[str]:
    with pytest.raises(BadFiles) as caught:
        judged(parse_tree(text, FILE), shares)
    brief, *lines = str(caught.value).splitlines()
    assert brief == "containers.yaml cannot be used."
    return [line.removeprefix("  containers.yaml:") for line in lines]


def one(text: str, *shares: str) -> Wanted:
    (found,) = judged(parse_tree(text, FILE), shares)
    return found


def test_two_lines_are_a_person() -> None:
    found = one("containers:\n  ann: {people: {ann: {keys: gh:ann}}}\n")
    assert (found.name, found.account, found.template) == ("ann", "ann", "base")
    assert (found.key_sources, found.has_template, found.memory) == (("gh:ann",), False, None)
    assert one("containers:\n  ann:\n").request.wants_password


def test_a_word_is_the_containers_own_then_its_groups_then_the_defaults() -> None:
    found = one(
        """\
sizes:
  small: {cpus: 2, memory: 8GiB, home: 10GiB}
  big: {memory: 64GiB}
defaults: {template: docker, size: small, until: never}
groups:
  staff: {cpus: 4, gpus: 2, shares: [data]}
containers:
  ann: {group: staff, size: big, reason: the large model, shares: []}
""",
        "data",
    )
    assert (found.template, found.cpus, found.memory) == ("docker", 4, 64 * GIB)
    assert (found.home, found.disk, found.gpus) == (10 * GIB, None, GpuSelection(count=2))
    assert (found.shares, found.until, found.reason) == ((), "never", "the large model")


def test_all_problems_are_told_at_once_each_at_its_line() -> None:
    assert told(
        """\
sizes:
  small: {cpus: 0, memory: 16, disk: 20x}
  Big: {}
groups:
  students: {template: docker, size: smal, gpus: many, shares: [dat, data, data]}
containers:
  ann: {group: student, people: {ann: {keys: [-, ssh-ed25519 AAAAbad]}, bob: {}}}
  Ann: {people: {anne: {mail: nobody}}}
  bob; rm: {group: students, cpus: 4, template: base}
  root: {}
  x: {until: 2027-13-01, memry: 3}
  x: {}
""",
        "data",
    ) == [
        "2: sizes.small.cpus: must be a number from 1 to 4096, not 0",
        '2: sizes.small.disk: must be a size such as 16GiB, not "20x" (Write a number and its '
        "unit: 500MB, 16GiB, 1TiB.)",
        "2: sizes.small.memory: must be a size with its unit, such as 16GiB, not 16",
        '3: sizes.Big: must have lower-case letters, digits and dashes only, not "Big"',
        "5: groups.students.gpus: must be a count, all, none, PCI addresses, UUIDs (GPU-…, "
        'MIG-…) or idx:N, not "many"',
        '5: groups.students.shares[0]: lab.yaml has no share "dat" (did you mean "data"?): '
        "invoke shares",
        '5: groups.students.shares[2]: the share "data" is given twice',
        '5: groups.students.size: sizes has no "smal" (did you mean "small"?)',
        '7: containers.ann.group: groups has no "student" (did you mean "students"?)',
        "7: containers.ann.people.ann.keys[0]: must be a file, gh:USER, gl:USER, an https "
        'address, or the key itself, not "-"',
        "7: containers.ann.people.ann.keys[1]: the key's base64 is damaged or incomplete",
        '7: containers.ann.people.bob: "bob" is a second person in "ann": several accounts in '
        "one container are not supported yet; give each person a container",
        "8: containers.Ann.people.anne.mail: must be a mail address such as ann@example.edu, "
        'not "nobody"',
        '8: containers.Ann: "Ann" and "ann" (line 7) are one name for LXD and DNS: they differ '
        "in upper and lower case only",
        '9: containers.bob; rm.template: the group "students" says otherwise; give the reason, '
        "reason: TEXT",
        '9: containers.bob; rm: must be a name that a container can have, not "bob; rm": It '
        'contains ";", " ".',
        '10: containers.root: "root" cannot be an account (That name belongs to the system.): '
        "name the account, people: {ACCOUNT: {}}",
        '11: containers.x.memry: unknown key (did you mean "memory"?)',
        '11: containers.x.until: must be a date such as 2027-01-31, or never, not "2027-13-01"',
        "12: containers.x: given twice (first on line 11)",
    ]


def test_who_differs_from_the_group_says_why() -> None:
    text = THREE.replace("eve: {group: students,", "eve: {group: students, memory: 4GiB, cpus: 8,")
    assert told(text) == [
        '8: containers.eve.cpus: the group "students" says otherwise (also of memory); give the '
        "reason, reason: TEXT"
    ]
    text = text.replace("memory: 4GiB,", "memory: 4GiB, reason: a large model,")
    assert [found.memory for found in read(text)] == [GIB, GIB, 4 * GIB]


def test_a_private_key_is_not_repeated() -> None:
    private = "-----BEGIN OPENSSH PRIVATE KEY-----secret"
    for keys in (f'"{private}"', f'["{private}"]'):
        (line,) = told(f"containers:\n  ann: {{people: {{ann: {{keys: {keys}}}}}}}\n")
        assert line == (
            "2: containers.ann.people.ann.keys[0]: this is a private key: give the public one, "
            "and make a new pair"
        )


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "1: containers: missing"),
        ("containers:\n", "1: containers: must be a mapping (key: value), not nothing"),
        ("containers: [ann]\n", "1: containers: must be a mapping (key: value), not a list"),
        ("[" * 90_000, "1: nested more than 50 deep"),
        ("- " * 90_000, "1: nested more than 50 deep"),
        ('a: "\\UFFFFFFFF"', "1: not YAML: an escape such as \\U0001F600 names no character"),
        ('a: "\\ud83d"', "1: half of a character, such as \\ud83d, cannot be text"),
        (
            "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
            + "".join(
                f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 10)}]\n"
                for n in range(8)
            ),
            "1: with its aliases, the file is too large",
        ),
        (
            f"a: &a {'x' * 400_000}\nb: [{', '.join(['*a'] * 90)}]\n",
            "1: with its aliases, the file is too large",
        ),
    ],
)
def test_a_file_that_is_none(text: str, line: str) -> None:
    assert line in told(text)


def test_more_problems_than_anybody_reads_are_counted() -> None:
    lines = told("".join(f"key{number}: 1\n" for number in range(5000)))
    assert len(lines) == 101
    assert any("and 4901 more problems" in line for line in lines)


def test_what_is_no_file_is_refused_and_nothing_is_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_text("x" * (1 << 20) + "x")
    for name, brief in (
        ("nothing", "There is no file"),
        ("pipe", "is not a file."),
        (".", "is not a file."),
        ("large", "is larger than 1 MiB"),
        ("a\0b", "cannot be read."),
        ("large/x", "cannot be read."),
    ):
        with pytest.raises(InputError) as error:
            read_lab_file(tmp_path / name, ())
        assert brief in error.value.brief


def test_keys_are_files_beside_it_and_what_the_web_has(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "ann.pub").write_text(ed25519(7) + "\n")
    path = tmp_path / "containers.yaml"
    path.write_text(
        "containers:\n"
        "  ann: {people: {ann: {keys: [keys/ann.pub, gh:ann]}}}\n"
        f'  ben: {{people: {{ben: {{keys: ["{ed25519(9)}"]}}}}}}\n'
    )

    def fetch(url: str) -> bytes:
        assert url == "https://github.com/ann.keys"
        return ed25519(8).encode()

    every, problems = with_keys(read_lab_file(path, ()), warn=print, fetch=fetch)
    assert not problems
    found = [[key.fingerprint for key in one.keys or ()] for one in every]
    assert found == [
        [fingerprint(ed25519(7)), fingerprint(ed25519(8))],
        [fingerprint(ed25519(9))],
    ]


def test_all_keys_that_cannot_be_read_are_told_at_their_lines(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty.pub").write_text("")
    path = tmp_path / "containers.yaml"
    sources = ("pipe", "none.pub", "/dev/zero", "~nobody-at-all/x", "empty.pub", "gh:")
    path.write_text(
        "containers:\n"
        + "".join(
            f"  a{number}: {{people: {{a: {{keys: ['{source}']}}}}}}\n"
            for number, source in enumerate(sources)
        )
    )
    every, problems = with_keys(read_lab_file(path, ()), warn=print)
    assert not every
    assert [problem.line for problem in problems] == [2, 3, 4, 5, 6, 7]
    assert "pipe is not a file" in problems[0].text


def test_the_example_is_a_file_that_can_be_used() -> None:
    every = judged(parse_tree(EXAMPLE.read_text(), EXAMPLE), ("datasets", "team"))
    assert len(every) >= 3
