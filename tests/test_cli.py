"""The command line, as editors and CI use it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from client.evalscript.good import GOOD
from client.evalscript.wrong import NDVI

from airflow_provider_sentinelhub.cli import main


@pytest.fixture
def scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.js").write_text(NDVI)
    (tmp_path / "bad.js").write_text(NDVI.replace("index(", "indx("))
    (tmp_path / "fusion.js").write_text(GOOD["radar and optical over time"].script)
    return tmp_path


def run(*arguments: str) -> int:
    return main(["evalscript", "check", *arguments])


def test_sound_scripts_say_nothing(scripts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("good.js", "--collection", "sentinel-2-l2a", "--output", "default", "--cog") == 0
    assert (
        run("fusion.js", "--collection", "s1=sentinel-1-grd", "--collection", "s2=sentinel-2-l2a", "--zarr")
        == 0
    )
    assert capsys.readouterr() == ("", "")


def test_each_finding_is_a_line_with_its_place(scripts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = run("good.js", "bad.js", "--output", "default=image/png", "--output", "NDVI")
    outputs = [
        "{0}:5:36: outputs: default has sampleType FLOAT32, which image/png cannot hold. Declare AUTO, UINT8 "
        "or UINT16, or ask for image/tiff",
        "{0}: outputs: Output NDVI requested but missing from function setup(). Choose among default, or "
        "declare it there",
    ]
    assert capsys.readouterr().out.splitlines() == [
        *(line.format("good.js") for line in outputs),
        *(line.format("bad.js") for line in outputs),
        "bad.js:9:11: Failed to evaluate script! ReferenceError: indx is not defined. Mend the script",
    ]
    assert code == 1


def test_warnings_do_not_fail(scripts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (scripts / "series.js").write_text(GOOD["a band for each day"].script)
    assert run("series.js") == 0
    assert capsys.readouterr().out.startswith(
        "series.js: warning: updateOutput() changes the number of bands"
    )


def test_what_cannot_be_read_is_not_a_fault_of_a_script(
    scripts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("missing.js", "bad.js") == 2
    printed = capsys.readouterr()
    assert printed.err.startswith("missing.js: cannot be read: ")
    assert printed.out.startswith("bad.js:9:11: ")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--collection", "=sentinel-2-l2a"), "'=sentinel-2-l2a' is not TYPE or ID=TYPE"),
        (("--output", "NDVI=tiff"), "'NDVI=tiff' is not ID or ID=MIME, such as NDVI=image/tiff"),
        (("--cog", "--zarr"), "not allowed with argument --cog"),
    ],
)
def test_wrong_options_are_named(
    scripts: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], words: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        run("good.js", *arguments)
    assert ended.value.code == 2
    assert words in capsys.readouterr().err


def test_without_quickjs_it_says_what_to_install(scripts: Path) -> None:
    # A module of that name that cannot be found: as if the extra were not installed.
    code = (
        "import sys; sys.modules['quickjs'] = None; from airflow_provider_sentinelhub.cli import main; "
        + ("sys.exit(main(['evalscript', 'check', 'good.js']))")
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stderr == (
        "QuickJS is missing. Install it with: pip install 'airflow-provider-sentinelhub[evalscript]'\n"
    )


def test_the_command_is_installed(scripts: Path) -> None:
    command = Path(sys.executable).with_name("sentinelhub-airflow")
    ended = subprocess.run(
        [command, "evalscript", "check", "bad.js"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ},
    )
    assert ended.returncode == 1
    assert ended.stdout.startswith("bad.js:9:11: ")
