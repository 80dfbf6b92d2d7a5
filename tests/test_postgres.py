"""The PostgreSQL of the tests: an empty database for each test, and nothing left, however a run ends."""

import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from sqlalchemy import create_engine, inspect, text

from pushlab.settings import patience

from .run.ports import free_port
from .run.programs import started

MAKER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import postgres
server = postgres.PostgresServer(postgres.find(), int(sys.argv[2]))
print(server.folder, (server.folder / "data" / "postmaster.pid").read_text().split()[0], flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("_", range(2))
def test_a_database_is_empty_and_its_user_may_make_tables(postgres_url, _):
    engine = create_engine(postgres_url)
    with engine.begin() as connection:
        assert inspect(connection).get_table_names() == []
        connection.execute(text("CREATE TABLE things (number integer)"))
        assert (
            connection.execute(text("SELECT usesuper FROM pg_user WHERE usename = user")).scalar()
            is False
        )
    engine.dispose()


def test_a_server_that_was_away_has_kept_everything(postgres_server, postgres_url):
    name = postgres_url.rpartition("/")[2]
    postgres_server.execute("CREATE TABLE things AS SELECT 7 AS number", name)
    for mode in ("fast", "immediate"):
        with postgres_server.away(mode):
            with pytest.raises(Exception, match="connection|socket"):
                postgres_server.execute("SELECT 1")
        assert postgres_server.execute("SELECT number FROM things", name) == [(7,)]


def test_nothing_is_left_of_a_run_that_is_killed(postgres_server):
    here = str(Path(__file__).parent)
    with started(
        [sys.executable, "-c", MAKER, here, str(free_port())],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as maker:  # fmt: skip
        folder, number = maker.stdout.readline().split()
        server = psutil.Process(int(number))
        guards = [
            process
            for process in psutil.process_iter(["cmdline"])
            if folder in (process.info["cmdline"] or [])
        ]
        assert Path(folder).is_dir() and server.is_running() and len(guards) == 1
        maker.send_signal(signal.SIGKILL)
        guards[0].wait(patience(30))
        server.wait(patience(30))
    assert not Path(folder).exists()
