"""lab.yaml and what it may say."""

from pathlib import Path

import pytest

from lab.errors import InputError
from lab.settings.settings import Settings, load_settings
from lab.settings.source import File

SAMPLE = Path(__file__).parents[2] / "lab.example.yaml"


def test_no_file_means_defaults(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, {})
    assert settings == Settings()
    assert (settings.remote, settings.distribution, settings.alias_prefix) == (
        "local",
        "auto",
        "lab",
    )


def test_paths_are_found_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "conf").mkdir()
    path = tmp_path / "conf" / "gpu-lab.yaml"
    path.write_text(
        "remote: https://lab1.example:8443\n"
        "client-key: keys/client.key\n"
        "definitions: /srv/definitions\n"
        "source: {kind: file, path: root.tar}\n"
        "options: {build-essential: true}\n"
    )
    settings = load_settings(tmp_path, {"LAB_SETTINGS": str(path)})
    assert settings.client_key == tmp_path / "conf" / "keys" / "client.key"
    assert settings.definitions == Path("/srv/definitions")
    assert settings.source == File(kind="file", path=tmp_path / "conf" / "root.tar")
    assert settings.options == {"build-essential": True}


def test_all_that_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lab.yaml").write_text(
        "remote: lab1.example\n"
        "mirror: mirror.example\n"
        "timezone: Asia/Shangai\n"
        "locale: en_US\n"
        "compression: ztsd\n"
        "alias-prefix: lab/x\n"
        "porxy: http://proxy.example:3142\n"
    )
    with pytest.raises(InputError) as caught:
        load_settings(tmp_path, {})
    assert str(caught.value) == (
        "lab.yaml cannot be used.\n"
        '  lab.yaml:1: remote: must be "local" or a URL such as https://lab1.example:8443,'
        ' not "lab1.example"\n'
        "  lab.yaml:2: mirror: must be a URL such as https://mirror.example/debian,"
        ' not "mirror.example"\n'
        '  lab.yaml:3: timezone: must be a time zone such as Asia/Shanghai, not "Asia/Shangai"'
        ' (did you mean "Asia/Shanghai"?)\n'
        "  lab.yaml:4: locale: must be a UTF-8 locale such as C.UTF-8 or zh_CN.UTF-8,"
        ' not "en_US"\n'
        "  lab.yaml:5: compression: must be 'zstd', 'gzip', 'pigz', 'xz', 'bzip2', 'lzma'"
        ' or \'none\', not "ztsd" (did you mean "zstd"?)\n'
        "  lab.yaml:6: alias-prefix: must be a short word of lower-case letters, digits and"
        ' dashes, not "lab/x"\n'
        '  lab.yaml:7: porxy: unknown key (did you mean "proxy"?)'
    )


def test_a_chosen_file_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as caught:
        load_settings(tmp_path, {"LAB_SETTINGS": str(tmp_path / "other.yaml")})
    assert str(caught.value) == (
        "There is no settings file other.yaml.\n"
        "Next: Correct or unset LAB_SETTINGS; without it labstamp reads lab.yaml beside tasks.py."
    )


def test_the_sample_is_valid_with_every_line_uncommented(tmp_path: Path) -> None:
    lines = [
        line.removeprefix("# ")
        for line in SAMPLE.read_text().splitlines()
        if line.startswith("# ") and line[2:].split(":")[0] in _keys()
    ]
    first_of_each = {line.split(":")[0]: line for line in reversed(lines)}
    path = tmp_path / "lab.yaml"
    path.write_text("\n".join(first_of_each.values()))
    load_settings(tmp_path, {})
    assert set(first_of_each) == _keys()


def _keys() -> set[str]:
    return {field.alias or name for name, field in Settings.model_fields.items()}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "{url: https://mirror.example/t}",
            "needs either key (a file) or key-url: apt refuses unsigned packages",
        ),
        (
            "{url: https://mirror.example/t, key: a.asc, components: [main]}",
            "a suite that ends with / has no components; remove them",
        ),
        (
            "{url: https://mirror.example/t, key: a.asc, suite: stable}",
            "a suite needs components, such as [main]",
        ),
    ],
)
def test_a_source_of_the_toolkit_must_be_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lab.yaml").write_text(f"nvidia-container-toolkit: {text}\n")
    with pytest.raises(InputError) as caught:
        load_settings(tmp_path, {})
    assert str(caught.value) == (
        f"lab.yaml cannot be used.\n  lab.yaml:1: nvidia-container-toolkit: {told}"
    )


def told(tmp_path: Path, text: str) -> str:
    (tmp_path / "lab.yaml").write_text(text)
    with pytest.raises(InputError) as caught:
        load_settings(tmp_path, {})
    return (caught.value.details or "").partition("lab.yaml")[2]


def test_builds_are_never_among_users_containers(tmp_path: Path) -> None:
    refusal = "build-project: must be a project that holds nothing else, not "
    assert told(tmp_path, "build-project: default\n").startswith(f':1: {refusal}"default"')
    assert told(tmp_path, "project: a\nbuild-project: a\n").startswith(f':2: {refusal}"a"')
    assert told(tmp_path, "build-project: a\nproject: a\n").startswith(f':1: {refusal}"a"')
    # The build project is lab-build where nothing is said of it.
    assert f'{refusal}"lab-build"' in told(tmp_path, "project: lab-build\n")


def test_a_source_is_never_where_labstamp_removes(tmp_path: Path) -> None:
    source = "source: {kind: instance, name: failed-base, project: lab-build}\n"
    assert told(tmp_path, source) == (
        ":1: source: must not be in lab-build, whose instances labstamp removes: lxc --project "
        "lab-build copy failed-base my-failed-base --target-project default, and name that copy"
    )
    (tmp_path / "lab.yaml").write_text(f"build-project: other\n{source}")
    assert load_settings(tmp_path, {}).source is not None
