"""What Akrab costs, against the budgets of PERFORMANCE.md; `make bench`, or `python -m tests.bench`."""
