"""Examine a sender by the RFCs, and by what goes wrong in the field.

    case.py          a case, its level, its verdict
    table.py         every case: what is sent, what must be seen, by which rule
    senders/         who is examined: a command, an app over HTTP, somebody by hand
    service.py       the push service that it meets: records each byte, answers as a case has planned
    http1.py         HTTP/1.1, byte for byte
    strict.py        what a push service that keeps to the RFCs refuses
    answer.py        the answers that a case can plan
    recipients.py    those who receive its messages
    arrived.py       a request as it arrived
    exchange.py      a message, the requests that came, and what the sender said
    body.py          the encrypted body of such a request, opened
    examination.py   what the cases share: a sender, a service, what is known of both
    cases/           how each case is posed and judged, a module a group
    examiner.py      runs the cases
    report/          what was found: for people, for programs

``pushlab conformance`` is the command.
"""
