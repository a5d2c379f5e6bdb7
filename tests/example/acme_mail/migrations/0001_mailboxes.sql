-- Mailboxes and their aliases.

CREATE TABLE IF NOT EXISTS public.acme_mailboxes (
    id              uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id uuid        NOT NULL REFERENCES public.organizations (id) ON DELETE CASCADE,
    name            text        NOT NULL,
    image_ref       text        NOT NULL,
    domain          text        NOT NULL,
    inputs_version  bigint      NOT NULL DEFAULT 0,
    generation      bigint      NOT NULL DEFAULT 1,
    deleted_at      timestamptz,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX IF NOT EXISTS acme_mailboxes_name ON public.acme_mailboxes (organization_id, name) WHERE deleted_at IS NULL;

CREATE TABLE IF NOT EXISTS public.acme_aliases (
    id         uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    mailbox_id uuid        NOT NULL REFERENCES public.acme_mailboxes (id) ON DELETE CASCADE,
    name       text        NOT NULL,
    target     text        NOT NULL,
    generation bigint      NOT NULL DEFAULT 1,
    deleted_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX IF NOT EXISTS acme_aliases_name ON public.acme_aliases (mailbox_id, name) WHERE deleted_at IS NULL;

-- What the reconciler writes: one row a mailbox that was closed.
CREATE TABLE IF NOT EXISTS public.acme_closed_mailboxes (
    id        uuid        PRIMARY KEY,
    closed_at timestamptz NOT NULL
);
GRANT SELECT, INSERT, UPDATE ON public.acme_closed_mailboxes TO skypanel_controller;

CREATE OR REPLACE VIEW skypanel.snapshot_mailbox AS
SELECT m.id, m.organization_id, m.generation, m.deleted_at IS NOT NULL AS deleted,
       jsonb_build_object(
           'id', m.id, 'organization_id', m.organization_id, 'organization', o.slug, 'name', m.name,
           'image_ref', m.image_ref, 'domain', m.domain,
           'aliases', (SELECT coalesce(jsonb_agg(jsonb_build_object('id', a.id, 'name', a.name, 'target', a.target,
                                                                    'generation', a.generation) ORDER BY a.name), '[]')
                         FROM public.acme_aliases a
                        WHERE a.mailbox_id = m.id AND a.deleted_at IS NULL)) AS doc
  FROM public.acme_mailboxes m
  JOIN public.organizations o ON o.id = m.organization_id;

CALL skypanel.declare_kind('mailbox', 'acme_mailboxes', parent => 'organization', parent_column => 'organization_id',
                           reconciled => true, wakes_on => '{organization}');
CALL skypanel.declare_kind('alias', 'acme_aliases', parent => 'mailbox', parent_column => 'mailbox_id', part => true);
CALL skypanel.bound_table('public.acme_mailboxes');
CALL skypanel.bound_table('public.acme_aliases');
