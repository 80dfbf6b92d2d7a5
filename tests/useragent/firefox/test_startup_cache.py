"""A new Firefox takes over the compiled scripts of an earlier one, and believes in them."""

from pathlib import Path

import pytest

from pushlab.useragent.firefox import startup_cache
from pushlab.useragent.firefox.browser import Firefox

MADE_BY, COMPLETE = startup_cache.MADE_BY, f"{startup_cache.FOLDER}/{startup_cache.COMPLETE}"


@pytest.fixture
def data(tmp_path, monkeypatch) -> Path:
    """A data folder of this test's own."""
    monkeypatch.setenv("PUSHLAB_DATA", str(tmp_path / "data"))
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def profile_of(folder: Path, version: str, *names: str) -> Path:
    """Write what a Firefox of this version leaves in its profile."""
    for name in (MADE_BY, COMPLETE, f"{startup_cache.FOLDER}/webext.sc.lz4", *names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(version)
    return folder


def files(folder: Path) -> dict[str, str]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_text() for path in found}


def times(folder: Path) -> set[int]:
    """Return when the files of a folder were written."""
    return {path.stat().st_mtime_ns for path in folder.glob("*")}


def test_a_new_profile_gets_the_scripts_and_nothing_else_of_an_earlier_one(data, tmp_path):
    startup_cache.keep(profile_of(tmp_path / "one", "153", "key4.db", "prefs.js"))
    (tmp_path / "two").mkdir(0o700)
    assert startup_cache.restore(tmp_path / "two")
    assert (tmp_path / "two").stat().st_mode & 0o777 == 0o700, "as it was made"
    assert files(tmp_path / "two") == {MADE_BY: "153", COMPLETE: "153"}
    assert [path.name for path in data.iterdir()] == ["firefox-startup-cache"]


def test_a_profile_that_was_used_keeps_its_own(data, tmp_path):
    startup_cache.keep(profile_of(tmp_path / "one", "153"))
    assert not startup_cache.restore(profile_of(tmp_path / "two", "154"))
    assert set(files(tmp_path / "two").values()) == {"154"}


def test_the_scripts_of_another_firefox_take_the_place_of_those_that_were_kept(data, tmp_path):
    for version in ("153", "154"):
        startup_cache.keep(profile_of(tmp_path / version, version))
    (tmp_path / "new").mkdir()
    assert startup_cache.restore(tmp_path / "new")
    assert files(tmp_path / "new") == {MADE_BY: "154", COMPLETE: "154"}
    assert [path.name for path in data.iterdir()] == ["firefox-startup-cache"]


def test_half_of_it_is_not_kept(data, tmp_path):
    for missing in (MADE_BY, COMPLETE):
        profile = profile_of(tmp_path / Path(missing).name, "153")
        (profile / missing).unlink()
        startup_cache.keep(profile)
        assert not startup_cache.restore(tmp_path / "new")
        assert list(data.iterdir()) == []


def test_no_data_folder_is_made_for_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PUSHLAB_DATA", str(tmp_path / "data"))
    startup_cache.keep(profile_of(tmp_path / "one", "153"))
    assert not (tmp_path / "data").exists()


NEWER = "[Compatibility]\nLastVersion=999.0_20990101000000/20990101000000\n"


@pytest.mark.usefixtures("firefox_installed")
def test_firefox_takes_its_own_scripts_and_throws_those_of_a_newer_one_away(run, data, tmp_path):
    startup_cache.keep(profile_of(tmp_path / "newer", NEWER))
    kept = data / "firefox-startup-cache"

    async def started_with(profile: Path) -> bool:
        """Start Firefox with a new profile; say whether it still has the scripts that it was given."""
        given = times(kept / startup_cache.FOLDER)
        firefox = Firefox("ws://127.0.0.1:9/", profile=profile)
        await firefox.start()
        try:  # A Firefox that believes in them only gives the file another name.
            return not given.isdisjoint(times(profile / startup_cache.FOLDER))
        finally:
            await firefox.close()

    assert not run(started_with(tmp_path / "one"))
    assert (kept / MADE_BY).read_text() != NEWER
    assert run(started_with(tmp_path / "two"))
