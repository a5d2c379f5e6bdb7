"""What a user can declare, and nothing else: no database, no engine, no clock.

problems    what is wrong with a value, said so that its writer can mend it
names       the forms of names, and the names of what exists on Swarm
units       CPU, memory and durations as text
fields      the field types that specs and snapshots share
registries  image registries that a node must not be sent to
resource    the envelope (apiVersion, kind, metadata, spec) and its registry
kinds       one module a kind: its metadata, spec and table binding
binding     how a kind maps onto its table, as data
snapshots   the documents that the database's snapshot views give
loader      YAML files to resources, with file, line and column of every problem
dump        resources to YAML
"""
