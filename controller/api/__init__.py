"""The HTTP API: a face, as the command line is another.

It checks, calls the use-cases of ``controller.actions``, and says what came of it.

``app``         the application: what every request goes through
``operations``  what a route is, as data; ``routes`` has them
``asked``       what a route is given, and what it gives back
``problems``    every refusal, as RFC 9457 has it
"""
