"""One message to all subscriptions.

sender.py         send to all, and count how that ended
broadcast.py      which delivery begins next
origin_queue.py   what the refusals of one push service mean for those who still wait for it
congestion.py     how many may be under way to a push service, learned from its responses
runs.py           the outcomes of each notify-all, in the database
recorder.py       writes them, in a thread
outage.py         how long the database is waited for
cluster/          the same from several processes, with Dask
"""
