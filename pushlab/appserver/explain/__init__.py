"""What a push service's response means, and what to do about it.

outcome.py        by status, the same for every push service
scope.py          whether it is about this message, recipient, sender, or the push service
vendors.py        by the words of one vendor's push service
curl_errors.py    by libcurl's error code, where no response came
"""
