"""Become a program that has two files of this one at its descriptors 3 and 4.

    python descriptors.py 12 15 /usr/bin/chromium --remote-debugging-pipe …

A shell could do this, but Debian's knows no descriptors above 9.
"""

import os
import sys

if __name__ == "__main__":
    reads, writes = map(int, sys.argv[1:3])
    for descriptor, place in ((reads, 3), (writes, 4)):
        os.dup2(descriptor, place)
        os.close(descriptor)
    os.execv(sys.argv[3], sys.argv[3:])  # noqa: S606  # a program and its arguments, without a shell
