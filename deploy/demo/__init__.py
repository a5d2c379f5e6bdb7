"""The demo: everything of the project on one machine, brought up, shown, broken by hand, and left running.

`tour` is the story from top to bottom; `python -m deploy.demo --help` says how to start and end it.
"""
