"""What visitors reach without a session: hosted forms, the site snippet, visits."""
