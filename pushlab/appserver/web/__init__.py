"""The application server over HTTP.

application.py    which handler answers which path
guard.py          which requests are accepted
instructor.py     how a browser becomes the instructor's
guesses.py        how many wrong tokens an address may try
handler.py        what all routes share: JSON and the journal
routes.py         the routes that the page and its worker call
events.py         GET /events, the journal as a stream
static.py         the page's files
certificate.py    https with a certificate of your own
"""
