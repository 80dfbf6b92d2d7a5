"""What goes wrong in the laboratory itself, and what an exercise says."""

import textwrap

from pushlab.errors.base import PushlabError

# A table: a class a row, and one empty line between rows. __all__ has a line for each group, in the
# order of the tree, and a hint is one line of the table however long it is.
# fmt: off
# ruff: noqa: E501

__all__ = [
    "LabError", "BadArgument", "UnreadableFile", "DataFolderTaken", "PortTaken", "BadPort", "BrowserNotFound", "BrowserFailed", "TimedOut", "FetchFailed",
    "LabStopped", "UnknownFlavour", "BadHost", "BadCertificate",
    "ExerciseError", "NotYet", "YourTurn",
]

class LabError(PushlabError, fault="this machine"):
    """The laboratory could not do what it was asked."""

class BadArgument(LabError, ValueError):
    """An argument has a value that it cannot have."""
    hint = "Give it a value of the kind that is named here, or leave it out; nothing was started or stopped"

class UnreadableFile(LabError):
    """A file cannot be read."""
    hint = "Give the path of a file that you may read"

class DataFolderTaken(LabError):
    """Another lab uses this data folder."""
    hint = "Stop that lab: in a notebook Kernel > Shut Down Kernel, in a terminal Ctrl-C. Or choose another folder: Lab(data=…), pushlab serve --data …, or PUSHLAB_DATA"

class PortTaken(LabError):
    """Another program holds the port."""
    hint = "Stop the other kernel (Kernel > Shut Down), or choose other ports with Lab(port=…, push_port=…)"

class BadPort(LabError):
    """This is no TCP port."""
    hint = "Give a whole number from 0 to 65535, or nothing for the usual port; 0 takes any free one"

class BrowserNotFound(LabError):
    """No such browser is installed."""
    hint = "Install it, or use the virtual user agent, which needs nothing"

class BrowserFailed(LabError):
    """The browser did not do what it was asked."""

class TimedOut(LabError):
    """What was waited for did not come."""

class FetchFailed(LabError, fault="the program that was asked"):
    """Another program did not answer as a lab does."""
    hint = "See which program answers at that address"

class LabStopped(LabError):
    """The lab is not running."""
    hint = "Run the cell with Lab() again"

class UnknownFlavour(LabError, hint="Choose one of those, or leave it out: strict is the default"):
    """The push service has no such flavour."""

class BadHost(LabError):
    """The lab cannot listen at this address."""
    hint = "Give one IPv4 address of this machine in the room's network, such as 192.168.1.20"

class BadCertificate(LabError, rfc="RFC 5280 §4.1"):
    """The page cannot be served by https with this certificate."""
    hint = "Give two PEM files: certfile has the certificate, then its issuers'; keyfile its private key"

class ExerciseError(PushlabError, status=400):
    """An exercise of a lesson."""
    def _render_traceback_(self) -> list[str]:  # IPython asks. The way through the check helps nobody.
        return textwrap.wrap(f"Not yet. {self}", 88)

class NotYet(ExerciseError):
    """The exercise is not solved yet."""
    hint = "Change your cell, run it, and run the check again"

class YourTurn(ExerciseError, NotImplementedError):
    """The exercise waits for its first attempt."""
    hint = "Write your code in place of that line, run its cell, and then this one"
