-- What objects have beyond the Swarm is in the inventory as <port>/thing: the fuse counts it for owners whose rows are gone.

CREATE INDEX IF NOT EXISTS inventory_beyond ON skypanel.inventory (owner_kind, owner_id) WHERE position('/' IN object_type) > 0;
