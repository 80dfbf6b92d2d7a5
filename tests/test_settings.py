"""What the environment decides: each wrong value has its own sentence, and none is a traceback."""

import asyncio

import pytest

from pushlab import settings
from pushlab.appserver.app import ApplicationServer
from pushlab.appserver.keys import VapidKeys
from pushlab.cli.commands import main
from pushlab.errors import BadPort, LabError
from pushlab.lab.runtime import LabRuntime
from pushlab.pushservice.app import PushService
from pushlab.server.http import listen

VARIABLES = ("PUSHLAB_PORT", "PUSHLAB_PUSH_PORT")
NO_PORTS = ["eighty", "65536", "-1", "1e3", "80.0", "8_292", "٨٢٩٢", " 80", "0x50", "9" * 5000]


@pytest.fixture(autouse=True)
def unset(monkeypatch, tmp_path):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PUSHLAB_DATA", str(tmp_path))


def test_ports_that_nobody_chose_and_ports_of_the_environment(monkeypatch):
    assert settings.ports() == (8292, 8030)
    for name, port in zip(VARIABLES, ("0", "65535"), strict=True):
        monkeypatch.setenv(name, port)
    assert settings.ports() == (0, 65535)
    assert settings.ports(1, 2) == (1, 2), "what is given comes first"


@pytest.mark.parametrize("name", VARIABLES)
@pytest.mark.parametrize("text", NO_PORTS)
def test_a_text_that_is_no_port(monkeypatch, name, text):
    monkeypatch.setenv(name, text)
    with pytest.raises(BadPort, match=f"^{name} is '.*', which is not a port.*0 to 65535") as told:
        settings.ports()
    assert len(str(told.value)) < 250


@pytest.mark.parametrize("name", VARIABLES)
@pytest.mark.parametrize("text", ["", "  "])
def test_a_variable_that_is_set_and_empty(monkeypatch, name, text):
    monkeypatch.setenv(name, text)
    with pytest.raises(BadPort, match=f"^{name} is set, and empty"):
        settings.ports()


@pytest.mark.parametrize("port", [-1, 65536, "80", 80.0, True])
def test_an_argument_that_is_no_port(port, tmp_path):
    for name in ("port", "push_port"):
        ports = {"port": 0, "push_port": 0, name: port}
        with pytest.raises(BadPort, match=f"^{name} is {port!r}, which is not a port"):
            LabRuntime(**ports, data=tmp_path)


def test_a_server_that_is_started_by_itself():
    keys = VapidKeys.generate()
    with pytest.raises(BadPort):
        listen(65536, "127.0.0.1")
    for server in (ApplicationServer(keys=keys), PushService()):
        with pytest.raises(BadPort, match="the port is 65536, which is not a port"):
            asyncio.run(server.start(65536))


@pytest.mark.parametrize("name", VARIABLES)
def test_the_command_ends_with_2_and_one_sentence(monkeypatch, capsys, name):
    monkeypatch.setenv(name, "eighty")
    assert main(["serve"]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"pushlab: {name} is 'eighty', which is not a port.")
    assert said.count("\n") == 1


@pytest.mark.parametrize("option", ["--port", "--push-port"])
def test_an_option_out_of_range(capsys, option):
    with pytest.raises(SystemExit) as ended:
        main(["serve", option, "65536"])
    assert ended.value.code == 2
    assert "65536 is not a port" in capsys.readouterr().err


def test_patience_multiplies_every_guard(monkeypatch):
    monkeypatch.delenv("PUSHLAB_PATIENCE", raising=False)
    assert settings.patience(60) == 60
    monkeypatch.setenv("PUSHLAB_PATIENCE", "2.5")
    assert settings.patience(60) == 150


@pytest.mark.parametrize("text", ["0", "-1", "inf", "nan", "two"])
def test_a_patience_that_is_none_is_refused_by_name(monkeypatch, text):
    monkeypatch.setenv("PUSHLAB_PATIENCE", text)
    with pytest.raises(LabError, match="PUSHLAB_PATIENCE is"):
        settings.patience(60)
