-- The fuse, by owner: what waits for an operator is a row, and so is what was confirmed.

CREATE TABLE IF NOT EXISTS skypanel.fuse_losses (
    owner_kind   text        NOT NULL,
    owner_id     uuid        NOT NULL,
    why          text        NOT NULL CONSTRAINT fuse_losses_why_known CHECK (why IN ('absent', 'deleted', 'reduced')),
    objects      integer     NOT NULL,
    processes    integer     NOT NULL,
    hosts        integer     NOT NULL,
    since        timestamptz NOT NULL DEFAULT now(),
    confirmed_at timestamptz,
    confirmed_by text,
    PRIMARY KEY (owner_kind, owner_id)
);
COMMENT ON TABLE skypanel.fuse_losses IS
    'Owners of live objects that lose something, while that waits for a confirmation. A confirmation covers one owner, and no more than was shown.';
COMMENT ON COLUMN skypanel.fuse_losses.why IS
    'absent: its row is not there and nobody deleted it. deleted: it was asked to go. reduced: it stays, and something of it would stop or lose its route.';
COMMENT ON COLUMN skypanel.fuse_losses.objects IS 'Services and networks that would be removed.';
COMMENT ON COLUMN skypanel.fuse_losses.processes IS 'Processes that run and would not.';
COMMENT ON COLUMN skypanel.fuse_losses.hosts IS 'Host names that would lead nowhere.';

COMMENT ON COLUMN skypanel.fuse.doomed IS 'Not used any more: see skypanel.fuse_losses.';
COMMENT ON TABLE skypanel.fuse IS
    'One row: since when nothing is taken away but what was confirmed, because it would be too much at once. Ends when nothing waits any more.';

CREATE OR REPLACE VIEW skypanel.serving AS
    SELECT e.id AS environment_id, 'process'::text AS what, coalesce(c.type, 'web') AS name
      FROM public.paas_environments e
      JOIN public.paas_apps a ON a.id = e.app_id
      JOIN public.paas_organizations o ON o.organization_id = a.organization_id
      LEFT JOIN public.paas_processes c ON c.environment_id = e.id AND c.deleted_at IS NULL
     WHERE e.deleted_at IS NULL AND a.deleted_at IS NULL AND o.deleted_at IS NULL
       AND NOT (e.suspended OR a.suspended OR o.suspended)
       AND coalesce(c.instances, e.instances) > 0
    UNION ALL
    SELECT environment_id, 'host', hostname FROM public.paas_domains WHERE deleted_at IS NULL;
COMMENT ON VIEW skypanel.serving IS
    'What shall serve: the processes that run, and the host names that lead to one. What is live and not here is about to be lost.';

CREATE OR REPLACE VIEW skypanel.hidden_tables AS
    SELECT DISTINCT t.oid::regclass::text AS table_name, v.relowner::regrole::text AS view_owner
      FROM pg_class v
      JOIN pg_rewrite w ON w.ev_class = v.oid
      JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid AND d.refclassid = 'pg_class'::regclass
      JOIN pg_class t ON t.oid = d.refobjid AND t.relrowsecurity
      JOIN pg_roles r ON r.oid = v.relowner
     WHERE v.relnamespace = 'skypanel'::regnamespace AND v.relkind = 'v' AND NOT r.rolsuper AND NOT r.rolbypassrls
       AND (t.relforcerowsecurity OR NOT pg_has_role(v.relowner, t.relowner, 'USAGE'));
COMMENT ON VIEW skypanel.hidden_tables IS
    'Tables of which row-level security may hide rows from the owner of our views: those would look deleted. Empty is good.';
