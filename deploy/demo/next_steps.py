"""What to try when the demo is up: lines that work as they are."""

from __future__ import annotations

from deploy.demo.paths import DEFAULT_NAME, DemoPaths

TEXT = """\
  set -a; . .run/{name}.env; set +a                        # in the shell that you go on with
  curl http://hello.localhost:{port}/                      # or open it in a browser on this machine
  skypanel get environments
  skypanel describe environment acme/hello/production

  psql "$DATABASE_URL" -c "UPDATE paas_environments SET instances = 4 WHERE swarm_name = 'acme-hello-production'"
  docker service ls                                        # four tasks, as the row says

  docker service rm $(docker service ls -q -f name=acme-shop-production-web)   # and look again
  skypanel describe environment acme/shop/production       # the event says what was done about it

  skypanel explain environment acme/shop/production        # when something is wrong: the cause, and what to do

  skypanel plan -f specs/examples/                         # what would change, before it does
  skypanel doctor
  curl {metrics}
  tail -f .run/{name}.log
  make demo-down{suffix}
"""


def next_steps(paths: DemoPaths, port: int, metrics: str) -> str:
    """The lines.

    Args:
        paths: the demo.
        port: of this machine, that leads to the edge.
        metrics: the URL of the controller's metrics.
    """
    suffix = "" if paths.name == DEFAULT_NAME else f" NAME={paths.name}"
    return TEXT.format(name=paths.name, port=port, metrics=metrics, suffix=suffix)
