"""Machines that are process trees: a directory for a disk, an address of 127.0.0.0/8, an init.

Everything known of a machine is in its directory and in /proc, never in the memory of whoever
started it: any number of processes may look after the same machines, one after the other.
"""
