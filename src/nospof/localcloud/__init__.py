"""The local cloud: an AWS-compatible endpoint for one computer, without Docker and without root.

It stands alone: it imports nothing of the rest of nospof, and the rest reaches it over HTTP only,
as it reaches AWS. What moto answers and does not do is made real here: instances are processes,
images copy disks, balancers are HAProxy.
"""
