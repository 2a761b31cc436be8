"""The RPCs of telephony, by what they are about."""
