"""What makes a story durable."""
