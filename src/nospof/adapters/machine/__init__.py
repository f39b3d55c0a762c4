"""What stands inside a machine, read by a script that is sent there."""
