"""House rules (docs: STYLE) as checks: one small module each, all run by `python -m tools.lint`.

A line that must break a rule says so and why: `# allow <rule>: <reason>`.
"""
