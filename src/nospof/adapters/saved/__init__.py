"""What others have written down: files, and accounts that were saved in them."""
