"""The lines that the lab prints for senders by https are tried, with each program that is here."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from pushlab.lab.authority import how_to_trust
from pushlab.lab.runtime import LabRuntime
from pushlab.settings import patience

REQUESTS = "import requests as r, sys; print(r.post(sys.argv[1], headers={'TTL': '5'}).status_code)"
URLLIB = (
    "import urllib.request as r, sys; a = r.Request(sys.argv[1], b'', {'TTL': '5'});"
    "print(r.urlopen(a).status)"
)
NODE = "fetch(process.argv[1], {method: 'POST', headers: {TTL: '5'}}).then(r => console.log(r.status))"
RUBY = 'print Net::HTTP.post(URI(ARGV[0]), "", "TTL" => "5").code'
SENDERS = {
    "curl": [["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-X", "POST", "-H", "TTL: 5"]],
    "Python": [[sys.executable, "-c", REQUESTS], [sys.executable, "-c", URLLIB]],
    "Node": [["node", "-e", NODE]],
    "Go, Ruby": [["ruby", "-rnet/http", "-e", RUBY]],
}
"""For each language, programs that POST a message without a payload and print the status."""

JAVA = """
import java.net.*; import java.net.http.*;
public class Sender { public static void main(String[] endpoint) throws Exception {
  var request = HttpRequest.newBuilder(URI.create(endpoint[0])).header("TTL", "5")
      .POST(HttpRequest.BodyPublishers.noBody()).build();
  System.out.println(HttpClient.newHttpClient()
      .send(request, HttpResponse.BodyHandlers.ofString()).statusCode()); } }
"""


@pytest.mark.skipif(os.name != "posix", reason="the lines are for a shell")
@pytest.mark.usefixtures("programs")
def test_each_line_makes_a_program_trust_the_lab_and_without_it_none_does(tmp_path):
    with LabRuntime(port=0, push_port=0, data=tmp_path / "lab data") as lab:

        async def subscribed() -> str:
            return lab.push_service.receivers.subscribe(https=True).subscription.endpoint

        endpoint = lab.run(subscribed())
        lines = dict(how_to_trust(lab.ca_file))
        tried = set()
        for language, programs in SENDERS.items():
            for program in programs:
                if shutil.which(program[0]):
                    assert said_by(f'"$@" {endpoint}', program) != "201", program
                    assert said_by(f'{lines[language]}\n"$@" {endpoint}', program) == "201", program
                    tried.add(language)
        assert {"curl", "Python"} <= tried
        if shutil.which("keytool"):
            (tmp_path / "Sender.java").write_text(JAVA)
            run = lines[""].replace("YourSender", f"{tmp_path}/Sender.java {endpoint}")
            assert said_by(f"{lines['Java']}\n{run}") == "201"
        assert not stat.S_IMODE(lab.ca_file.stat().st_mode) & 0o022, "nobody else may change it"


def said_by(script: str, arguments: list[str] | None = None) -> str:
    """Run lines in a shell, and return what they printed."""
    command = ["sh", "-c", script, "sh", *(arguments or [])]
    without = {"NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"}
    environment = {name: value for name, value in os.environ.items() if name not in without}
    done = subprocess.run(command, capture_output=True, text=True, timeout=patience(60), env=environment)
    return done.stdout.strip()


def test_on_windows_the_lines_are_those_of_its_shell():
    lines = dict(how_to_trust(Path("/lab data/ca.pem"), "nt"))
    path = str(Path("/lab data/ca.pem"))
    assert lines["Node"] == f'set "NODE_EXTRA_CA_CERTS={path}"'
    assert f'-file "{path}" ' in lines["Java"]
