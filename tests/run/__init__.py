"""How a run of the tests is organised; ``tests/conftest.py`` makes pytest use it.

schedule.py     which process runs which test, and in which order; what ``--quick`` leaves out
progress.py     what is printed while the run goes on
chance.py       the seed of all that is random, and how many inputs are tried
programs.py     programs that a test starts, and that end with it
kernels.py      how kernels are spoken to
ports.py        ports that are known before anybody listens at them
artifacts.py    what is kept of a test that has failed
standstill.py   a run in which the programs stand still now and then, as on a busy machine
"""
