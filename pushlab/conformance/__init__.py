"""Examine a sender by the RFCs, and by what goes wrong in the field.

    case.py          a case, its level, its verdict
    table.py         every case: what is sent, what must be seen, by which rule
    senders/         who is examined: a command, an app over HTTP, somebody by hand
    service.py       the push service that it meets: records each byte, answers as a case has planned
    examination.py   what the cases share: a sender, a service, what is known of both
    cases/           how each case is posed and judged, a module a group
    examiner.py      runs the cases
    report/          what was found: for people, for programs

``pushlab conformance`` is the command.
"""
