"""What can be asked of an installation, whoever asks: the command line today, an API and a git source beside it.

One module a use-case. Each takes a connection and plain values, gives plain values back, and refuses with
``ActionError``, which says what is wrong and how to mend it. None of them writes to a terminal or reads one.
"""
