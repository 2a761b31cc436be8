"""Joined screens: one call of a client, several of services in parallel. One file a screen."""
