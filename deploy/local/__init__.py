"""PostgreSQL, NATS and the application's processes on one machine, under one supervisor."""
