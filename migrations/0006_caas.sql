-- CaaS: stricter rules for images that clients bring: image and network policies, registry credentials,
-- volume snapshots, exec audit.

CREATE TABLE IF NOT EXISTS public.caas_image_policies (
    id                 uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id    uuid        NOT NULL CONSTRAINT caas_image_policies_organization_unique UNIQUE
                                   REFERENCES public.paas_organizations (organization_id) ON DELETE CASCADE,
    allowed_registries text[]      NOT NULL DEFAULT '{}' CONSTRAINT caas_image_policies_allowed_registries_no_null CHECK (array_position(allowed_registries, NULL) IS NULL),
    allowed_patterns   text[]      NOT NULL DEFAULT '{}' CONSTRAINT caas_image_policies_allowed_patterns_no_null CHECK (array_position(allowed_patterns, NULL) IS NULL),
    blocked_patterns   text[]      NOT NULL DEFAULT '{}' CONSTRAINT caas_image_policies_blocked_patterns_no_null CHECK (array_position(blocked_patterns, NULL) IS NULL),
    require_digest     boolean     NOT NULL DEFAULT false,
    require_signed     boolean     NOT NULL DEFAULT false,
    generation         bigint      NOT NULL DEFAULT 1,
    created_at         timestamptz NOT NULL DEFAULT now(),
    updated_at         timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE public.caas_image_policies IS 'Which images an organization may run. Empty allow lists allow everything that is not blocked.';
CALL skypanel.declare_table('caas_image_policies');

CREATE TABLE IF NOT EXISTS public.caas_registry_credentials (
    id              uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id uuid        NOT NULL REFERENCES public.paas_organizations (organization_id) ON DELETE CASCADE,
    registry        text        NOT NULL CONSTRAINT caas_registry_credentials_registry_form CHECK (registry ~ '^[a-z0-9.-]+(:[0-9]{1,5})?$'),
    username        text        NOT NULL CONSTRAINT caas_registry_credentials_username_not_empty CHECK (username <> ''),
    secret_ref      text        NOT NULL CONSTRAINT caas_registry_credentials_secret_ref_not_empty CHECK (secret_ref <> ''),
    created_by      uuid        REFERENCES public.users (id) ON DELETE SET NULL,
    generation      bigint      NOT NULL DEFAULT 1,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT caas_registry_credentials_once UNIQUE (organization_id, registry)
);
COMMENT ON TABLE public.caas_registry_credentials IS 'Logins to private registries.';
COMMENT ON COLUMN public.caas_registry_credentials.secret_ref IS 'spec: names the secret; never the password itself';
CREATE INDEX IF NOT EXISTS caas_registry_credentials_created_by ON public.caas_registry_credentials (created_by);
CALL skypanel.declare_table('caas_registry_credentials', secret => '{secret_ref}');

CREATE TABLE IF NOT EXISTS public.caas_network_policies (
    id              uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id uuid        NOT NULL CONSTRAINT caas_network_policies_organization_unique UNIQUE
                                REFERENCES public.paas_organizations (organization_id) ON DELETE CASCADE,
    egress_allow    jsonb       NOT NULL DEFAULT '[]' CONSTRAINT caas_network_policies_egress_allow_list CHECK (jsonb_typeof(egress_allow) = 'array'),
    ingress_allow   jsonb       NOT NULL DEFAULT '[]' CONSTRAINT caas_network_policies_ingress_allow_list CHECK (jsonb_typeof(ingress_allow) = 'array'),
    default_deny    boolean     NOT NULL DEFAULT false,
    generation      bigint      NOT NULL DEFAULT 1,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE public.caas_network_policies IS 'Where the containers of an organization may connect to, and who to them.';
CALL skypanel.declare_table('caas_network_policies');

CREATE TABLE IF NOT EXISTS public.caas_volume_snapshots (
    id             uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    volume_id      uuid        NOT NULL REFERENCES public.paas_volumes (id) ON DELETE CASCADE,
    retained_until timestamptz,
    snapshot_id    text,
    storage_url    text,
    size_bytes     bigint      CONSTRAINT caas_volume_snapshots_size_bytes_not_negative CHECK (size_bytes >= 0),
    status         text        NOT NULL DEFAULT 'pending' CONSTRAINT caas_volume_snapshots_status_known
                               CHECK (status IN ('pending', 'running', 'succeeded', 'failed', 'deleting')),
    deleted_at     timestamptz,
    generation     bigint      NOT NULL DEFAULT 1,
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE public.caas_volume_snapshots IS 'Asked-for snapshots of volumes, and where they are.';
COMMENT ON COLUMN public.caas_volume_snapshots.retained_until IS 'spec: kept at least until then; NULL keeps it until it is deleted';
COMMENT ON COLUMN public.caas_volume_snapshots.snapshot_id IS 'status: its name in the object storage';
COMMENT ON COLUMN public.caas_volume_snapshots.storage_url IS 'status: where it is, without credentials';
COMMENT ON COLUMN public.caas_volume_snapshots.size_bytes IS 'status';
COMMENT ON COLUMN public.caas_volume_snapshots.status IS 'status';
CREATE INDEX IF NOT EXISTS caas_volume_snapshots_volume ON public.caas_volume_snapshots (volume_id);
CREATE UNIQUE INDEX IF NOT EXISTS caas_volume_snapshots_snapshot_unique ON public.caas_volume_snapshots (snapshot_id);
CALL skypanel.declare_table('caas_volume_snapshots', status => '{snapshot_id,storage_url,size_bytes,status}');

CREATE TABLE IF NOT EXISTS public.caas_exec_audit (
    id              uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id uuid        NOT NULL,
    environment_id  uuid        NOT NULL,
    user_id         uuid        NOT NULL,
    command         text[]      NOT NULL,
    started_at      timestamptz NOT NULL DEFAULT now(),
    duration_ms     bigint      CONSTRAINT caas_exec_audit_duration_ms_not_negative CHECK (duration_ms >= 0),
    status          text        NOT NULL DEFAULT 'running' CONSTRAINT caas_exec_audit_status_known
                                CHECK (status IN ('running', 'succeeded', 'failed', 'refused', 'lost')),
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE public.caas_exec_audit IS 'status: who ran what in which container. No foreign keys: the record outlives user and environment.';
CREATE INDEX IF NOT EXISTS caas_exec_audit_organization ON public.caas_exec_audit (organization_id, started_at DESC);
CREATE INDEX IF NOT EXISTS caas_exec_audit_environment ON public.caas_exec_audit (environment_id, started_at DESC);
CREATE INDEX IF NOT EXISTS caas_exec_audit_user ON public.caas_exec_audit (user_id, started_at DESC);
