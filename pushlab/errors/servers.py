"""What a server of ours refuses, or cannot do: requests, key files, databases."""

from pushlab.errors.base import PushlabError
from pushlab.reader import Advice, command

# A table: a class a row, and one empty line between rows. __all__ has a line for each group, in the
# order of the tree, and a hint is one line of the table however long it is.
# fmt: off
# ruff: noqa: E501

__all__ = [
    "RequestError", "MalformedJson", "BadField", "RequestTooLarge", "HeadTooLarge",
    "RequestTimeout", "NotJson", "WrongHost", "CrossOrigin", "InstructorOnly", "WrongCode",
    "TooManyGuesses", "TooManyConnections", "TooManySubscriptions", "TooManyRequests", "RunUnderWay",
    "NotInClass", "ClassFull", "UnknownParticipant", "MethodNotAllowed", "UnknownMethod", "UnknownPath", "PrivateLab",
    "InternalError",
    "KeyFileError", "KeyFileMissing", "KeyFileExists", "KeyFileMalformed", "KeyMismatch",
    "StoreError", "UnableToSaveSubscription", "UnableToReadDatabase", "UnableToWriteDatabase",
    "DatabaseLocked", "DatabaseBusy", "DatabaseUnreachable", "DatabaseClosed",
    "DatabaseAccessDenied", "BadDatabaseUrl", "DatabaseDriverMissing",
    "ClusterError", "ScaleMissing", "DatabaseNotShared", "ClusterNotEncrypted", "ClusterUnreachable",
    "ClusterLost", "ClusterFailed",
]

GO_ON = "Then, in a notebook whose lab has this database and these keys, lab.runs() has this run: lab.notify_all(THE SAME MESSAGE, resume=RUN)"

# RFC 6750 §3: the scheme alone is no challenge, and a wrong token is named as such.
CHALLENGE = {"WWW-Authenticate": 'Bearer realm="pushlab"'}
INVALID_TOKEN = {"WWW-Authenticate": 'Bearer realm="pushlab", error="invalid_token"'}

class RequestError(PushlabError, status=400, fault="client"):
    """The request cannot be served."""

class MalformedJson(RequestError, rfc="RFC 8259"):
    """The body is not JSON."""
    hint = "Send UTF-8 JSON text, made with JSON.stringify or json.dumps"

class BadField(RequestError):
    """A field is missing or of the wrong type."""

class RequestTooLarge(RequestError, status=413):
    """The body is larger than this server reads."""
    hint = "Send less"

class HeadTooLarge(RequestError, status=431, rfc="RFC 6585 §5"):
    """Request line and headers are longer than this server reads."""
    hint = "Send shorter headers, with fewer cookies for this host"

class RequestTimeout(RequestError, status=408, rfc="RFC 9110 §15.5.9"):
    """The body did not arrive in time."""
    hint = "Send the whole body at once, exactly as long as Content-Length says"

class NotJson(RequestError, status=415, rfc="RFC 9110 §15.5.16"):
    """Content-Type does not say that the body is JSON."""
    hint = "Send 'Content-Type: application/json'"

class WrongHost(RequestError, status=421, rfc="RFC 9110 §15.5.20"):
    """The request is for another server."""
    hint = "Open the address that the lab prints, or come through a proxy that speaks https"

class CrossOrigin(RequestError, status=403, rfc="RFC 6454 §7"):
    """A page of another origin sent this."""
    hint = "Send it from the server's own page, or from a program that sends no Origin"

class InstructorOnly(RequestError, status=401, rfc="RFC 6750 §2.1", headers=CHALLENGE):
    """This is for the instructor of the room."""
    hint = "Open the instructor's link that the lab prints; a program sends 'Authorization: Bearer TOKEN' with PUSHLAB_TOKEN"

class WrongCode(RequestError, status=403):
    """The instructor's link has been used already, or it is too old."""
    hint = "Each link works once, for ten minutes. For another one, press Enter where the lab was started, or Show the instructor's link on the panel"

class TooManyGuesses(RequestError, status=429, rfc="RFC 6585 §4"):
    """Too many wrong tokens or codes came from this address."""
    hint = "Wait as long as Retry-After says, and take a new instructor's link"
    def __init__(self, detail: str = "", seconds: int = 1) -> None:
        super().__init__(detail, headers={"Retry-After": str(seconds)})

class TooManyConnections(RequestError, status=503, rfc="RFC 9110 §15.6.4"):
    """This server has as many connections as it accepts."""
    hint = "Close connections that you do not need, and wait as long as Retry-After says"

class TooManySubscriptions(RequestError, status=503, rfc="RFC 9110 §15.6.4"):
    """This server stores as many subscriptions as it accepts."""
    hint = "Remove subscriptions that nobody uses any more"

class TooManyRequests(RequestError, status=429, rfc="RFC 6585 §4"):
    """A client sends more requests than this server allows."""
    hint = "Ask less often"
    def __init__(self, detail: str = "", seconds: int = 0) -> None:
        super().__init__(detail, headers={"Retry-After": str(seconds)} if seconds else {})

class RunUnderWay(RequestError, status=409, rfc="RFC 9110 §15.5.10"):
    """This notify-all is being sent, and a second sender would send its messages twice."""
    hint = "Wait until it has ended. If it has left anybody out, notify_all(…, resume=RUN) goes on with it"

class NotInClass(RequestError, status=401, rfc="RFC 6750 §2.1", headers=CHALLENGE):
    """This is for a participant of the class, and the secret is nobody's here."""
    hint = "Join the class: lab.join_class(URL, name=…)"

class ClassFull(RequestError, status=503, rfc="RFC 9110 §15.6.4"):
    """The class has as many participants as it accepts."""
    hint = "Ask the instructor to remove those who have left"

class UnknownParticipant(RequestError, status=404):
    """There is no such participant."""
    hint = "Look at the board again: they may have left"

class MethodNotAllowed(RequestError, status=405, rfc="RFC 9110 §15.5.6"):
    """This path does not take the method."""
    hint = "Use a method that the Allow header lists"

class UnknownMethod(RequestError, status=501, rfc="RFC 9110 §9.1"):
    """This server does not know the method."""
    hint = "Use a method of HTTP, in capitals"

class UnknownPath(RequestError, status=404, rfc="RFC 9110 §15.5.5"):
    """Nothing is served at this path."""
    hint = "Check the URL; if a proxy is in between, check its prefix too"

class PrivateLab(RequestError, status=403, rfc="RFC 9110 §15.5.4"):
    """This lab is its owner's alone, and its address is a secret."""
    hint = "Open the link that your own lab shows: lab.page_url, or the panel"

class InternalError(RequestError, status=500, fault="this server"):
    """The server itself failed."""
    hint = "This is a bug: please report it, with the lines of the lab's log"

class KeyFileError(PushlabError, status=500, fault="application server"):
    """The file of VAPID keys cannot be used."""

class KeyFileMissing(KeyFileError):
    """There is no such key file."""
    hint = "Check the path before you make new keys: with new keys every stored subscription stops working"

class KeyFileExists(KeyFileError):
    """A key file is there already."""
    hint = "Keep the file: with new keys every stored subscription stops working. Pass overwrite=True only if you want that"

class KeyFileMalformed(KeyFileError):
    """The file does not hold a VAPID key."""
    hint = "A key file is a .env with VAPID_PRIVATE_KEY, a PEM, a JWK, or 32 raw bytes"

class KeyMismatch(KeyFileError, rfc="RFC 8292 §3.2"):
    """The public key is not the other half of the private key."""
    hint = "Delete the public half, which pushlab can compute, or find the private half that belongs to it"

class StoreError(PushlabError, status=500, fault="this machine"):
    """The database failed."""
    hint = "Check the disk's free space, and which other program has the database open; nothing that is stored was changed"
    undone = False  # Whether the database undid a transaction that may succeed if it is run again at once.
    def __init__(self, detail: str = "", owner: str = "", *, hint: str = "") -> None:
        super().__init__(detail, hint=hint, fault=owner)  # Each server has a database of its own.

class UnableToSaveSubscription(StoreError):
    """The subscription could not be saved."""

class UnableToReadDatabase(StoreError):
    """The database could not be read."""

class UnableToWriteDatabase(StoreError):
    """The database could not be written."""

class DatabaseLocked(StoreError, status=503):
    """Another program holds the database."""
    hint = "Wait a moment, then try again; nothing that is stored was changed"

class DatabaseBusy(StoreError, status=503):
    """The database's server has too much to do."""
    hint = "Wait a moment, then try again; nothing that is stored was changed"

class DatabaseUnreachable(StoreError, status=503):
    """The database's server does not answer, or has gone away."""
    hint = "Start the database's server, or wait until it is back, then try again; nothing that is stored was changed"

class DatabaseClosed(StoreError, status=503):
    """The database is closed, because its server has stopped."""
    hint = Advice("Start the lab again: run the cell with Lab()", terminal=f"Start it again: {command('serve')}",
                  page="Start the lab again where it ran, then reload this page")

class DatabaseAccessDenied(StoreError):
    """The database's server does not let us in."""
    hint = "Try the URL's user, password and database with psql, and see what that user may do there"

class BadDatabaseUrl(StoreError):
    """This is not a database URL."""
    hint = ("Write the URL as SQLAlchemy does, such as sqlite:////home/me/lab.sqlite3 or "
            "postgresql+psycopg://USER:PASSWORD@HOST/DATABASE, with %40 for an @ in the password")

class DatabaseDriverMissing(StoreError):
    """The Python package for this kind of database is not installed."""
    hint = f"Install it where pushlab is installed, then start again. For psycopg, this command does it: {command('setup --scale')}"

class ClusterError(PushlabError, status=503, fault="this machine"):
    """A notify-all could not use several processes, or several machines."""

class ScaleMissing(ClusterError, status=501):
    """Several processes need Dask, which is not installed."""
    hint = Advice(f"Install it: {command('setup --scale')}. Then start the lab again",
                  notebook=f"Install it in a terminal: {command('setup --scale')}. Then restart the kernel",
                  terminal=f"Install it: {command('setup --scale')}. Then start again")

class DatabaseNotShared(ClusterError):
    """The processes of a notify-all cannot all open this database."""
    hint = ("Give a database that every worker can open: a SQLite file if all of them are on this machine, "
            "postgresql+psycopg://… if not")

class ClusterNotEncrypted(ClusterError):
    """The private key would travel to another machine without encryption."""
    hint = "Start scheduler and workers with Dask's TLS, and give the scheduler's address as tls://HOST:8786"

class ClusterUnreachable(ClusterError, fault="the Dask scheduler"):
    """No Dask scheduler answers at this address."""
    hint = "Check that the scheduler runs there, and that its certificates and yours are of one authority"

class ClusterLost(ClusterError, fault="the Dask scheduler"):
    """The Dask scheduler went away in the middle of a notify-all."""
    hint = Advice("Start the scheduler again. Then lab.runs() has this run, and notify_all(…, resume=RUN) goes on with it",
                  terminal=f"Start the scheduler again. {GO_ON}")

class ClusterFailed(ClusterError, fault="the Dask workers"):
    """The Dask workers could not do their part of a notify-all."""
    hint = Advice("Read what the workers say, mend it there, and resume this run of lab.runs(): notify_all(…, resume=RUN)",
                  terminal=f"Read what the workers say, and mend it there. {GO_ON}")
