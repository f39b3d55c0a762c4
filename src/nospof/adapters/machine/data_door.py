"""The part of the data program that keeps the door: where an application has always found its database.

A HAProxy on each member listens there and leads to one writer at a time. It runs by any Python from 3.6 on.
"""
