"""The classroom: which exercises the participants have solved, who is stuck, and where.

    a participant's kernel                                  the instructor's application server
    a check ─▶ Reporter ── POST /class/attempts ──────────▶ ClassRecords ─▶ board() ─▶ the instructor
    own lab ◀─ Listener ◀─ GET /class/nudges ────────────── ClassRecords ◀─ nudge() ◀─ the instructor
       └─▶ own push service ─▶ own browser

A participant takes part after ``lab.join_class(URL, name=…)``, and until ``lab.leave_class()``. What is
sent is in ``attempt``: a name, lesson and exercise, passed or the step that differs, and when. No code
and no output is ever sent. A nudge is a push message: the participant's own lab is told its words, and
sends it with its own key to its own browsers, whose endpoints lead to the participant's machine alone.
"""
