"""What can take a service down: pure, exact, the same answer for the same topology."""
