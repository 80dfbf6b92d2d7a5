"""What a push service's response means, and what to do about it.

outcome.py        the outcome of a message, in words
statuses.py       by status, the same for every push service
vendors.py        by the words of one vendor's push service
curl_errors.py    by libcurl's error code, where no response came
reserved.py       by the name of a host that nobody can have, where no response came
intermediary.py   by what a proxy or a firewall gives away, that answers in its place
ours.py           by the error of this kit that a server of ours names
words.py          a push service's own words in its response
html_page.py      a page in the place of such words
scope.py          whether it is about this message, recipient, sender, or the push service
"""
