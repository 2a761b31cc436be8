"""The HTTP face: REST and JSON for clients, gRPC to the services, and nothing of its own that lasts."""
