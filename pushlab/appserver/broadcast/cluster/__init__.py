"""One message to all from several processes, on this machine or on others, with Dask.

options.py        where the workers are: processes here, or a scheduler elsewhere
connection.py     the scheduler: started here, or connected to, and never without TLS
sender.py         send to all: ranges to workers, their pace, and the counts from the records
senders.py        which sender is kept for the next notify-all
pace.py           what all workers together may do at each push service
orders.py         what the workers are told
worker.py         what a worker does
granted_queue.py  what a worker may do at one push service, and what it has seen there

Dask is not imported before somebody asks for more than one process: it takes half a second, and needs
pushlab[scale].
"""
