"""The outside world behind the ports; each talks to one library."""
