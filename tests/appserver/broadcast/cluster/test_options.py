"""Wrong options are refused before anything is started, and nothing of Dask is needed for that."""

import pytest

from pushlab.appserver.app import ApplicationServer
from pushlab.appserver.broadcast.cluster.options import Cluster, check_encrypted, checked_processes
from pushlab.appserver.broadcast.cluster.orders import shared_database
from pushlab.errors import BadArgument, ClusterNotEncrypted, DatabaseNotShared


def test_processes_are_a_number_or_auto():
    for wrong in (0, -1, 1001, True, 2.0, "2", "many"):
        with pytest.raises(BadArgument, match="processes is"):
            checked_processes(wrong)


def test_a_scheduler_has_an_address():
    for wrong in (
        "",
        "127.0.0.1",
        "127.0.0.1:8786",
        "http://127.0.0.1:8786",
        "tcp://127.0.0.1",
        "tls://:1",
    ):
        with pytest.raises(BadArgument, match="no address such as tls://HOST:8786"):
            Cluster(wrong)


def test_the_key_leaves_this_machine_over_tls_alone():
    for here in ("tcp://127.0.0.1:8786", "tcp://localhost:8786", "tcp://[::1]:8786"):
        assert Cluster(here).address == here
    assert Cluster("tls://scheduler.example.net:8786")
    for there in ("tcp://192.0.2.7:8786", "tcp://scheduler.example.net:8786"):
        with pytest.raises(ClusterNotEncrypted, match="not encrypted"):
            Cluster(there)
    with pytest.raises(ClusterNotEncrypted, match="a worker is at tcp://192.0.2.7"):
        check_encrypted("tcp://192.0.2.7:40001", "a worker")


def test_tls_has_all_its_files(tmp_path):
    pem = tmp_path / "a.pem"
    pem.touch()
    with pytest.raises(BadArgument, match="belong together"):
        Cluster("tls://127.0.0.1:8786", ca_file=pem)
    with pytest.raises(BadArgument, match=r"nowhere\.pem .* is not a file"):
        Cluster("tls://127.0.0.1:8786", pem, pem, tmp_path / "nowhere.pem")
    assert "a.pem" not in repr(Cluster("tls://127.0.0.1:8786", pem, pem, pem))


def test_a_database_that_the_workers_cannot_open_is_refused(keys):
    for url in ("sqlite://", "sqlite:///:memory:", "sqlite:///file:x?mode=memory&uri=true"):
        with pytest.raises(DatabaseNotShared, match="memory of this process"):
            shared_database(url, 2)
    with pytest.raises(DatabaseNotShared, match="file of this machine"):
        shared_database("sqlite:////lab/a.sqlite3", Cluster("tls://scheduler.example.net:8786"))
    assert shared_database("postgresql+psycopg://me:secret@db/lab", 2).endswith("me:secret@db/lab")

    with pytest.raises(DatabaseNotShared):
        ApplicationServer(keys=keys, processes=2)  # before it is started


def test_processes_and_a_number_for_one_notify_all(run, serving):
    async def scenario():
        async with serving() as server:
            with pytest.raises(BadArgument):
                await server.notify_all(processes=0)

    run(scenario())
    with pytest.raises(BadArgument):
        ApplicationServer(keys=None, processes=-1)
