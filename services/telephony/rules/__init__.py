"""What telephony decides, without tables and network."""
