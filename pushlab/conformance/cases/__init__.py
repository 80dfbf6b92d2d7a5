"""How each case is posed, and how what came is judged: a module for each group, and three for ``bytes``.

A module holds functions marked with ``@poses``, which name the cases they judge. They ask the
examination for messages and return a Judgement.
"""
