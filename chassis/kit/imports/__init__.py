"""Import and export of any resource: a plan that is exact, a run that equals it, an undo of any size.

A service gives an `Adapter` (adapter.py): which fields a file may fill, how cells become a message, who holds a key, what
belongs to a write. Everything else is here: reading (reading.py, spreadsheet.py), guessing (guessing.py), the plan
(planning.py, deciding.py), the run (running.py), the undo (undo.py), files out (exporting.py), tables (store.py).
"""
