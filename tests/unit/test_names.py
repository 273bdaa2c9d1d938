"""What may be a container's name, and what an account's."""

import pytest

from lab.errors import InputError
from lab.names import check_account, check_instance_name, nearest

FIX = "Next: Use 1 to 63 letters, digits and dashes; begin with a letter, do not end with a dash."
ACCOUNT_FIX = "Next: Use 1 to 32 lower-case letters, digits and dashes; begin with a letter."


@pytest.mark.parametrize("name", ["bob", "B", "lab-3", "a" * 63, "x2"])
def test_names_of_containers(name: str) -> None:
    check_instance_name(name)


@pytest.mark.parametrize(
    ("name", "shown", "reason"),
    [
        ("", '""', "It is empty."),
        ("bob; rm -rf /", '"bob; rm -rf /"', 'It has ";", " ", "/" in it.'),
        ("../x", '"../x"', 'It has ".", "/" in it.'),
        ("-x", '"-x"', 'It begins with "-".'),
        ("3d", '"3d"', 'It begins with "3".'),
        ("x-", '"x-"', "It ends with a dash."),
        ("a" * 64, f'"{"a" * 64}"', "It has 64 characters."),
        ("张三", '"张三"', 'It has "张", "三" in it.'),
        ("bоb", '"bоb"', 'It has "о" in it.'),  # a Cyrillic о
        ("bob\n", '"bob\\n"', 'It has "\\n" in it.'),
        ("a\x1b[2J", '"a\\x1b[2J"', 'It has "\\x1b", "[" in it.'),
    ],
)
def test_what_no_container_may_be_called(name: str, shown: str, reason: str) -> None:
    with pytest.raises(InputError) as caught:
        check_instance_name(name)
    assert str(caught.value) == f"{shown} cannot be the name of a container.\n  {reason}\n{FIX}"


@pytest.mark.parametrize("name", ["bob", "a", "mary-ann", "u1", "a" * 32])
def test_names_of_accounts(name: str) -> None:
    check_account(name)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "It is empty."),
        ("Bob", 'It has "B" in it.'),
        ("bob; rm -rf /", 'It has ";", " ", "/" in it.'),
        ("../x", 'It has ".", "/" in it.'),
        ("-x", 'It begins with "-".'),
        ("1st", 'It begins with "1".'),
        ("a" * 33, "It has 33 characters."),
        ("bob\n", 'It has "\\n" in it.'),
    ],
)
def test_what_no_account_may_be_called(name: str, reason: str) -> None:
    with pytest.raises(InputError) as caught:
        check_account(name)
    shown = name.replace("\n", "\\n")
    assert str(caught.value) == f'"{shown}" cannot be an account.\n  {reason}\n{ACCOUNT_FIX}'


@pytest.mark.parametrize("name", ["root", "daemon", "www-data", "nobody", "docker", "ubuntu"])
def test_accounts_of_the_system_are_not_for_people(name: str) -> None:
    with pytest.raises(InputError) as caught:
        check_account(name)
    assert str(caught.value) == (
        f'"{name}" cannot be an account.\n'
        "  That name belongs to the system.\n"
        "Next: Choose another name."
    )


def test_the_nearest_known_word() -> None:
    known = ["base", "docker-nested", "docker", "xfce-xrdp"]
    assert nearest("dokcer", known) == "docker"
    assert nearest("tensorflow", known) is None
