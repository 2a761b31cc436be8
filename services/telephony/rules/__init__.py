"""What is true of calls whatever asks: pure functions over facts and messages."""
