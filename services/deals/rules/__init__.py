"""What is true of deals and money whatever asks: pure functions over messages."""
