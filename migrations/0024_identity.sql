-- Identity: which Swarm and which installation this database belongs to, and whether it is the database that it was.

CREATE TABLE IF NOT EXISTS skypanel.identity (
    id            boolean     PRIMARY KEY DEFAULT true CONSTRAINT identity_one_row CHECK (id),
    database_id   uuid        NOT NULL DEFAULT gen_random_uuid(),
    place         text        NOT NULL,
    cluster_id    text        NOT NULL CONSTRAINT identity_cluster_id_not_empty CHECK (cluster_id <> ''),
    installation  text        NOT NULL CONSTRAINT identity_installation_not_empty CHECK (installation <> ''),
    accepted_mark text,
    claimed_at    timestamptz NOT NULL DEFAULT now(),
    accepted_at   timestamptz,
    accepted_by   text
);
COMMENT ON TABLE skypanel.identity IS
    'One row, made by the first leader. A controller that finds something else writes nothing until it is right again, or accepted.';
COMMENT ON COLUMN skypanel.identity.database_id IS 'Made once, and anew when a copy is accepted; the Swarm has a mark with it.';
COMMENT ON COLUMN skypanel.identity.place IS 'The server''s system identifier and the database''s number in it: another place is a copy.';
COMMENT ON COLUMN skypanel.identity.cluster_id IS 'Of the Swarm.';
COMMENT ON COLUMN skypanel.identity.accepted_mark IS 'A mark in the Swarm that is not its own and was said to be meant; the next leader replaces it.';
