"""What goes wrong in the laboratory itself, and what an exercise says."""

import textwrap
from typing import Any

from pushlab.errors.base import PushlabError
from pushlab.reader import Advice, command

# A table: a class a row, and one empty line between rows. __all__ has a line for each group, in the
# order of the tree, and a hint is one line of the table however long it is.
# fmt: off
# ruff: noqa: E501

__all__ = [
    "LabError", "BadArgument", "UnreadableFile", "UnusableFolder", "DataFolderTaken", "PortTaken", "BadPort", "BrowserNotFound", "BrowserFailed", "ProgramFailed", "TimedOut", "FetchFailed",
    "LabStopped", "UnknownFlavour", "BadHost", "BadCertificate",
    "ExerciseError", "NotYet", "YourTurn",
]

class LabError(PushlabError, fault="this machine"):
    """The lab could not do what it was asked to do."""

class BadArgument(LabError, ValueError, fault="the argument that was given"):
    """An argument has a value that it cannot have."""
    hint = "Give it a value of the kind that is named here, or leave it out. Nothing was started or stopped"

class UnreadableFile(LabError):
    """A file cannot be read."""
    hint = "Give the path of a file that you may read"

class UnusableFolder(LabError):
    """A folder cannot be made, read or written."""
    hint = Advice("Choose another folder that you may write to: data=…, or PUSHLAB_DATA",
                  terminal="Choose another folder that you may write to")

class DataFolderTaken(LabError):
    """Another lab uses this data folder."""
    holder: Any = None  # a lab.data_folder.Holder, if it is known
    hint = Advice("To stop that lab and go on here: Lab(take_over=True). To keep both: Lab(data=…, port=0, push_port=0)",
                  terminal="To stop that lab and go on here, add --take-over. To keep both, add --data FOLDER --port 0 --push-port 0")

class PortTaken(LabError):
    """Another program holds the port."""
    hint = Advice("Choose other ports: Lab(port=…, push_port=…); 0 takes any free one",
                  terminal="Choose other ports with --port and --push-port; 0 takes any free one")

class BadPort(LabError, fault="the argument that was given"):
    """This is not a TCP port."""
    hint = "Give a whole number from 0 to 65535, or leave it out for the usual port; 0 takes any free one"

class BrowserNotFound(LabError):
    """No such browser is installed."""
    hint = "Install it, or use the virtual user agent, which needs no browser"

class BrowserFailed(LabError):
    """The browser did not do what it was asked to do."""

class ProgramFailed(LabError, fault="the program that was started"):
    """A program that the lab was asked to run does not serve."""
    hint = "Run it in a terminal, with a number in PORT, and read what it says"

class TimedOut(LabError):
    """The lab waited, and what it waited for did not come."""

class FetchFailed(LabError, fault="the program that was asked"):
    """Another program did not answer as a lab does."""
    untrusted = False  # whether its certificate could not be verified (RFC 5280 §6)
    unknown_issuer = False  # whether that is because nobody vouches for its issuer
    hint = "Check which program answers at that address"

class LabStopped(LabError):
    """The lab is not running."""
    hint = Advice("Run the cell with Lab() again", terminal=f"Start it again: {command('serve')}",
                  page="Start the lab again where it ran, then reload this page")

class UnknownFlavour(LabError, fault="the argument that was given", hint="Choose one of these, or leave it out for strict"):
    """The push service has no such flavour."""

class BadHost(LabError, fault="the argument that was given"):
    """The lab cannot listen on this address."""
    hint = "Give one IPv4 address of this machine in the room's network, such as 192.168.1.20"

class BadCertificate(LabError, rfc="RFC 5280 §4.1"):
    """The page cannot be served by https with this certificate."""
    hint = "Give two PEM files: certfile with the certificate and then those of its issuers, keyfile with its private key"

class ExerciseError(PushlabError, status=400):
    """An exercise of a lesson."""
    def _render_traceback_(self) -> list[str]:  # IPython asks. The way through the check helps nobody.
        return textwrap.wrap(f"Not yet. {self}", 88)

class NotYet(ExerciseError):
    """The exercise is not solved yet."""
    hint = "Change your cell, run it, and run the check again"
    def __init__(self, detail: str = "", *, step: str = "") -> None:  # What differs, in the check's own words.
        super().__init__(detail)
        self.step = step

class YourTurn(ExerciseError, NotImplementedError):
    """The exercise waits for its first attempt."""
    hint = "Write your code in place of that line, run its cell, and then this one"
