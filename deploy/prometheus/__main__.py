"""`python -m deploy.prometheus`: fetch Prometheus unless it is here, and say where it is."""

from deploy.prometheus import prometheus, promtool

print(prometheus())
print(promtool())
