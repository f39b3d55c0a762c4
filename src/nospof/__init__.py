"""nospof: no single point of failure.

Takes a service that lives on one EC2 instance, makes it one that no single failure can take down,
and proves it by breaking it on purpose.
"""

__version__ = "0.1.0"
