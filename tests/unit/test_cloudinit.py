"""Templates into cloud-config: quoted, complete, and with the template's line when they fail."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lab.cloudinit.quoting import block, quoted
from lab.cloudinit.render import render, sources_of
from lab.errors import InputError


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    directory = tmp_path / "cloud-init"
    directory.mkdir()
    return directory


def told(sources: Path, text: str, **values: object) -> str:
    (sources / "gpu.yaml.j2").write_text(text)
    with pytest.raises(InputError) as caught:
        render("gpu.yaml.j2", sources, values)
    return str(caught.value)


def failing(line: str) -> str:
    return f"cloud-init/gpu.yaml.j2 cannot be used.\n  cloud-init/gpu.yaml.j2:{line}"


def test_values_are_filled_in(sources: Path) -> None:
    (sources / "gpu.yaml.j2").write_text(
        "#cloud-config\ntimezone: {{ zone | quoted }}\npackages: {{ packages | quoted }}\n"
    )
    assert render("gpu.yaml.j2", sources, {"zone": "Etc/UTC", "packages": ["a", "b"]}) == (
        '#cloud-config\ntimezone: "Etc/UTC"\npackages: ["a", "b"]\n'
    )


def test_an_undefined_variable(sources: Path) -> None:
    text = "#cloud-config\n\ntimezone: {{ timezon | quoted }}\n"
    assert told(sources, text, timezone="x") == failing("3: timezon is undefined")


def test_an_undefined_attribute_in_a_condition(sources: Path) -> None:
    text = "#cloud-config\n{% if options.gpu %}\ntimezone: UTC\n{% endif %}\n"
    assert told(sources, text, options={}) == failing("2: 'dict object' has no attribute 'gpu'")


def test_an_undefined_variable_in_an_included_file(sources: Path) -> None:
    (sources / "_part.j2").write_text("#cloud-config\n# part\nlocale: {{ locale | quoted }}\n")
    assert told(sources, '{% include "_part.j2" %}\n') == (
        "cloud-init/_part.j2 cannot be used.\n  cloud-init/_part.j2:3: locale is undefined"
    )


def test_a_syntax_error(sources: Path) -> None:
    text = "#cloud-config\n{% if x %}\npackages: []\n"
    assert told(sources, text, x=True).startswith(
        failing("3: Unexpected end of template. Jinja was looking for the following tags:")
    )


def test_an_unknown_filter(sources: Path) -> None:
    assert told(sources, "#cloud-config\nlocale: {{ x | qouted }}\n", x=1) == failing(
        "2: No filter named 'qouted'."
    )


def test_a_value_that_is_not_quoted(sources: Path) -> None:
    text = "#cloud-config\nlocale: {{ x }}\ntimezone: {{ x | upper }}\n"
    assert told(sources, text, x="a: b") == (
        failing("2: a value without | quoted")
        + "\n  cloud-init/gpu.yaml.j2:3: a value without | quoted"
    )


def test_what_a_macro_encloses_must_be_quoted_too(sources: Path) -> None:
    text = (
        "#cloud-config\n{% macro m() %}\n{{ caller() }}\n{% endmacro %}\n"
        "{% call m() %}\nlocale: {{ x }}\n{% endcall %}\n"
    )
    assert told(sources, text, x="a: b") == failing("3: a value without | quoted")


def test_an_expression_that_cannot_be_computed(sources: Path) -> None:
    assert told(sources, '#cloud-config\n\n\nlocale: {{ (1 + "x") | quoted }}\n') == failing(
        "4: unsupported operand type(s) for +: 'int' and 'str'"
    )


def test_a_template_that_is_not_there(sources: Path) -> None:
    assert told(sources, '#cloud-config\n{% include "_gone.j2" %}\n') == failing(
        "2: there is no cloud-init/_gone.j2"
    )


def test_templates_stay_in_their_directory(sources: Path) -> None:
    (sources.parent / "secret").write_text("#cloud-config\n")
    assert told(sources, '{% include "../secret" %}\n') == failing(
        "1: there is no cloud-init/../secret"
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("packages: []\n", "1: does not begin with #cloud-config"),
        ("#cloud-config\n", " renders to an empty document: cloud-init has nothing to do"),
        ("#cloud-config\n- x\n", " renders to an empty document: cloud-init has nothing to do"),
        (
            "#cloud-config\npakcages: [x]\n",
            '2: pakcages: unknown key of cloud-init (did you mean "packages"?)',
        ),
        (
            "#cloud-config\npackages: [a]\n\npackages: [b]\n",
            "4: packages: given twice (first in cloud-init/gpu.yaml.j2:2)",
        ),
        (
            "#cloud-config\npackages: [a\n",
            " rendered line 3: not YAML: expected ',' or ']', but got '<stream end>'",
        ),
    ],
)
def test_what_is_no_cloud_config(sources: Path, text: str, problem: str) -> None:
    assert told(sources, text) == failing(problem)


def test_sources_of_a_template(sources: Path) -> None:
    (sources / "_macros.j2").write_text("")
    (sources / "_common.j2").write_text('{% import "_macros.j2" as m %}')
    (sources / "_part.j2").write_text("")
    (sources / "other.j2").write_text("")
    (sources / "gpu.yaml.j2").write_text('{% extends "_common.j2" %}{% include "_part.j2" %}')
    assert sources_of("gpu.yaml.j2", sources) == (
        sources / "_common.j2",
        sources / "_macros.j2",
        sources / "_part.j2",
        sources / "gpu.yaml.j2",
    )


@given(st.text())
def test_any_text_survives_quoting(text: str) -> None:
    assert yaml.safe_load(f"a: {quoted(text)}\nb: 1\n") == {"a": text, "b": 1}


@given(st.text() | st.lists(st.sampled_from(["a", "", " x", "\t", "- b", "#"])).map("\n".join))
def test_any_text_survives_in_a_block(text: str) -> None:
    assert yaml.safe_load(f"x:\n  - a: {block(text)}\n    b: 1\n") == {"x": [{"a": text, "b": 1}]}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    )
)
def test_any_value_survives_quoting(value: object) -> None:
    assert yaml.safe_load(f"a: {quoted(value)}\n") == {"a": value}


def test_quoted_text_stays_readable() -> None:
    assert quoted('张三 said "hi"\n\x85\N{GRINNING FACE}') == (
        '"张三 said \\"hi\\"\\n\\x85\N{GRINNING FACE}"'
    )
    assert block("a\n\nb: {c}\n", 2) == "|\n  a\n\n  b: {c}"
