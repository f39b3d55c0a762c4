"""One function per intent of a user; what every face calls."""
