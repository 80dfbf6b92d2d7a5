"""The page's files: as they are on disk, of the right type, and checked each time."""

import pytest

from pushlab.appserver.web import application, static
from pushlab.appserver.web.static import TYPES, static_folder


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Serve files of our own in place of the page's."""
    (tmp_path / "index.html").write_text("<!doctype html><title>é</title>")
    for suffix in TYPES:
        (tmp_path / f"file{suffix}").write_bytes(b"content of " + suffix.encode())
    (tmp_path / "file.unknown").write_bytes(b"?")
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "inner.js").touch()
    (tmp_path / ".env").write_text("VAPID_PRIVATE_KEY=x")
    monkeypatch.setattr(application, "static_folder", lambda: tmp_path)
    return tmp_path


def test_every_type(run, serving, fetch, folder):
    async def scenario():
        async with serving() as server:
            for suffix, kind in {**TYPES, ".unknown": "application/octet-stream"}.items():
                reply = await fetch(f"{server.url}file{suffix}")
                assert (reply.status, reply.headers["Content-Type"]) == (200, kind)
                assert reply.body == (folder / f"file{suffix}").read_bytes()
                assert reply.headers["Cache-Control"] == "no-cache"
            reply = await fetch(f"{server.url}file.js?v=1")
            assert reply.headers["Cache-Control"] == "no-cache" and "Expires" not in reply.headers

    run(scenario())


def test_the_root_is_the_page(run, serving, fetch, folder):
    async def scenario():
        async with serving() as server:
            reply = await fetch(server.url)
            assert reply.headers["Content-Type"] == "text/html; charset=utf-8"
            assert reply.body == (folder / "index.html").read_bytes()

    run(scenario())


def test_an_edited_file_is_seen_at_once_and_an_unchanged_one_is_not_sent_again(
    run, serving, fetch, folder
):
    async def scenario():
        async with serving() as server:
            tag = (await fetch(server.url + "file.js")).headers["Etag"]
            again = await fetch(server.url + "file.js", If_None_Match=tag)
            assert (again.status, again.body) == (304, b"")
            (folder / "file.js").write_bytes(b"edited, and of another length")
            edited = await fetch(server.url + "file.js", If_None_Match=tag)
            assert (edited.status, edited.body) == (200, b"edited, and of another length")

    run(scenario())


@pytest.mark.parametrize(
    "path", [".env", "secret/inner.js", "secret/", "secret", "../conftest.py", "%2eenv"]
)
def test_what_is_no_part_of_the_page_is_not_served(run, serving, fetch, folder, path):
    async def scenario():
        async with serving() as server:
            return (await fetch(server.url + path)).error

    assert run(scenario()) == (404, "unknown-path")


def test_a_link_out_of_the_folder_is_not_followed(run, serving, fetch, folder):
    (folder / "out.js").symlink_to(static.__file__)

    async def scenario():
        async with serving() as server:
            return (await fetch(server.url + "out.js")).error

    assert run(scenario()) == (404, "unknown-path")


def test_a_file_that_goes_is_gone(run, serving, fetch, folder):
    async def scenario():
        async with serving() as server:
            assert (await fetch(server.url + "file.css")).status == 200
            (folder / "file.css").unlink()
            return (await fetch(server.url + "file.css")).error

    assert run(scenario()) == (404, "unknown-path")


def test_the_folder_of_a_checkout_and_of_an_installed_package(tmp_path, monkeypatch):
    monkeypatch.setattr(static, "PACKAGE", tmp_path / "pushlab")
    (tmp_path / "pushlab").mkdir()
    assert static_folder() == tmp_path / "static"
    (tmp_path / "pushlab" / "static").mkdir()
    assert static_folder() == tmp_path / "pushlab" / "static"


def test_the_real_page_is_there():
    assert (static_folder() / "index.html").is_file()
