"""What a daemon's predictions and decisions were worth, as one document and as one page."""
