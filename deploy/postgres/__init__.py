"""A private PostgreSQL for the demo and the tests: `ensure(name)` gives a running server.

It listens on a unix socket only. Connections over it are trusted: the folder of the socket is closed to all
but root and the account that the server runs as, and those two can read the data files anyway, so a password
would protect nothing and would have to be kept somewhere.
"""

from deploy.postgres.binaries import PostgresError
from deploy.postgres.server import Server, ensure

__all__ = ["PostgresError", "Server", "ensure"]
