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


def test_a_new_profile_gets_the_scripts_and_nothing_else_of_an_earlier_one(data, tmp_path):
    startup_cache.keep(profile_of(tmp_path / "one", "153", "key4.db", "prefs.js"))
    startup_cache.restore(tmp_path / "two")
    assert files(tmp_path / "two") == {MADE_BY: "153", COMPLETE: "153"}
    assert [path.name for path in data.iterdir()] == ["firefox-startup-cache"]


def test_a_profile_that_was_used_keeps_its_own(data, tmp_path):
    startup_cache.keep(profile_of(tmp_path / "one", "153"))
    startup_cache.restore(profile_of(tmp_path / "two", "154"))
    assert set(files(tmp_path / "two").values()) == {"154"}


def test_the_scripts_of_another_firefox_take_the_place_of_those_that_were_kept(data, tmp_path):
    for version in ("153", "154"):
        startup_cache.keep(profile_of(tmp_path / version, version))
    startup_cache.restore(tmp_path / "new")
    assert files(tmp_path / "new") == {MADE_BY: "154", COMPLETE: "154"}
    assert [path.name for path in data.iterdir()] == ["firefox-startup-cache"]


def test_half_of_it_is_not_kept(data, tmp_path):
    for missing in (MADE_BY, COMPLETE):
        profile = profile_of(tmp_path / Path(missing).name, "153")
        (profile / missing).unlink()
        startup_cache.keep(profile)
        startup_cache.restore(tmp_path / "new")
        assert not (tmp_path / "new").exists()
        assert list(data.iterdir()) == []


def test_no_data_folder_is_made_for_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PUSHLAB_DATA", str(tmp_path / "data"))
    startup_cache.keep(profile_of(tmp_path / "one", "153"))
    assert not (tmp_path / "data").exists()


@pytest.mark.usefixtures("firefox_installed")
def test_firefox_believes_in_the_scripts_that_it_is_given(run, data, tmp_path):
    async def scenario() -> None:
        first = Firefox("ws://127.0.0.1:9/", profile=tmp_path / "one")
        await first.start()
        await first.close()
        assert (kept := data / "firefox-startup-cache" / COMPLETE).exists()
        second = Firefox("ws://127.0.0.1:9/", profile=tmp_path / "two")
        await second.start()
        try:
            # A Firefox that does not believe in them deletes the folder when it starts.
            given = tmp_path / "two" / COMPLETE
            assert given.stat().st_mtime_ns == kept.stat().st_mtime_ns
        finally:
            await second.close()

    run(scenario())
