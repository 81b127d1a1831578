"""DIMSE (PS3.7, PS3.8): the door through which modalities, workstations and archives come, and the caller of a PACS.

The only room with pynetdicom. It speaks of queries, targets, arrivals and outcomes; what is done with them is the
origin's.
"""
