"""What is copied onto the disk of the demonstration site: its pages and its web server."""
