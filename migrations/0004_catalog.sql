-- Catalog: what the operator offers. Plans, stacks and buildpacks, addon plans, templates, nodes.

CREATE TABLE IF NOT EXISTS public.paas_plans (
    id            uuid          PRIMARY KEY DEFAULT gen_random_uuid(),
    name          text          NOT NULL CONSTRAINT paas_plans_name_unique UNIQUE
                                CONSTRAINT paas_plans_name_form CHECK (skypanel.is_slug(name)),
    description   text,
    cpu_limit     numeric(6,3)  NOT NULL CONSTRAINT paas_plans_cpu_limit_positive CHECK (cpu_limit > 0),
    memory_mb     integer       NOT NULL CONSTRAINT paas_plans_memory_mb_at_least_4 CHECK (memory_mb >= 4),
    pids_limit    integer       NOT NULL DEFAULT 256 CONSTRAINT paas_plans_pids_limit_positive CHECK (pids_limit > 0),
    storage_gb    integer       NOT NULL DEFAULT 0 CONSTRAINT paas_plans_storage_gb_not_negative CHECK (storage_gb >= 0),
    bandwidth_gb  integer       CONSTRAINT paas_plans_bandwidth_gb_not_negative CHECK (bandwidth_gb >= 0),
    price_hourly  numeric(12,6) NOT NULL DEFAULT 0 CONSTRAINT paas_plans_price_hourly_not_negative CHECK (price_hourly >= 0),
    price_monthly numeric(12,4) NOT NULL DEFAULT 0 CONSTRAINT paas_plans_price_monthly_not_negative CHECK (price_monthly >= 0),
    autoscaling   boolean       NOT NULL DEFAULT false,
    enabled       boolean       NOT NULL DEFAULT true,
    generation    bigint        NOT NULL DEFAULT 1,
    created_at    timestamptz   NOT NULL DEFAULT now(),
    updated_at    timestamptz   NOT NULL DEFAULT now()
);
COMMENT ON TABLE public.paas_plans IS 'Sizes on offer. A plan that an environment uses cannot be deleted.';
COMMENT ON COLUMN public.paas_plans.cpu_limit IS 'spec: cores each replica may use';
COMMENT ON COLUMN public.paas_plans.memory_mb IS 'spec: MiB each replica may use';
COMMENT ON COLUMN public.paas_plans.pids_limit IS 'spec: processes and threads each replica may have';
COMMENT ON COLUMN public.paas_plans.bandwidth_gb IS 'spec: included egress a month; NULL is unmetered';
COMMENT ON COLUMN public.paas_plans.enabled IS 'spec: offered for new environments';
CALL skypanel.declare_table('paas_plans', kind => 'plan');

CREATE TABLE IF NOT EXISTS public.paas_stacks (
    id            uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    name          text        NOT NULL CONSTRAINT paas_stacks_name_unique UNIQUE
                              CONSTRAINT paas_stacks_name_form CHECK (skypanel.is_slug(name)),
    builder_image text        NOT NULL CONSTRAINT paas_stacks_builder_image_not_empty CHECK (builder_image ~ '^\S+$'),
    run_image     text        NOT NULL CONSTRAINT paas_stacks_run_image_not_empty CHECK (run_image ~ '^\S+$'),
    description   text,
    enabled       boolean     NOT NULL DEFAULT true,
    generation    bigint      NOT NULL DEFAULT 1,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE public.paas_stacks IS 'A builder image and the run image that its results stand on.';
CALL skypanel.declare_table('paas_stacks');

CREATE TABLE IF NOT EXISTS public.paas_buildpacks (
    id         uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    name       text        NOT NULL CONSTRAINT paas_buildpacks_name_not_empty CHECK (name ~ '\S'),
    source_uri text        NOT NULL CONSTRAINT paas_buildpacks_source_uri_not_empty CHECK (source_uri ~ '^\S+$'),
    version    text        NOT NULL,
    enabled    boolean     NOT NULL DEFAULT true,
    generation bigint      NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT paas_buildpacks_name_version_unique UNIQUE (name, version)
);
COMMENT ON TABLE public.paas_buildpacks IS 'Buildpacks that stacks may use, one row a version.';
CALL skypanel.declare_table('paas_buildpacks');

CREATE TABLE IF NOT EXISTS public.paas_stack_buildpacks (
    id           uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    stack_id     uuid        NOT NULL REFERENCES public.paas_stacks (id) ON DELETE CASCADE,
    buildpack_id uuid        NOT NULL REFERENCES public.paas_buildpacks (id) ON DELETE CASCADE,
    order_index  integer     NOT NULL CONSTRAINT paas_stack_buildpacks_order_index_not_negative CHECK (order_index >= 0),
    generation   bigint      NOT NULL DEFAULT 1,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT paas_stack_buildpacks_once UNIQUE (stack_id, buildpack_id),
    CONSTRAINT paas_stack_buildpacks_order_unique UNIQUE (stack_id, order_index) DEFERRABLE INITIALLY DEFERRED
);
COMMENT ON TABLE public.paas_stack_buildpacks IS 'Which buildpacks a stack tries, in order. The order may be swapped within a transaction.';
CREATE INDEX IF NOT EXISTS paas_stack_buildpacks_buildpack ON public.paas_stack_buildpacks (buildpack_id);
CALL skypanel.declare_table('paas_stack_buildpacks');

CREATE TABLE IF NOT EXISTS public.paas_addon_plans (
    id            uuid          PRIMARY KEY DEFAULT gen_random_uuid(),
    type          text          NOT NULL CONSTRAINT paas_addon_plans_type_form CHECK (skypanel.is_slug(type)),
    tier          text          NOT NULL CONSTRAINT paas_addon_plans_tier_form CHECK (skypanel.is_slug(tier)),
    quotas        jsonb         NOT NULL DEFAULT '{}' CONSTRAINT paas_addon_plans_quotas_object CHECK (jsonb_typeof(quotas) = 'object'),
    price_hourly  numeric(12,6) NOT NULL DEFAULT 0 CONSTRAINT paas_addon_plans_price_hourly_not_negative CHECK (price_hourly >= 0),
    price_monthly numeric(12,4) NOT NULL DEFAULT 0 CONSTRAINT paas_addon_plans_price_monthly_not_negative CHECK (price_monthly >= 0),
    enabled       boolean       NOT NULL DEFAULT true,
    generation    bigint        NOT NULL DEFAULT 1,
    created_at    timestamptz   NOT NULL DEFAULT now(),
    updated_at    timestamptz   NOT NULL DEFAULT now(),
    CONSTRAINT paas_addon_plans_type_tier_unique UNIQUE (type, tier)
);
COMMENT ON TABLE public.paas_addon_plans IS 'Sizes of managed services (type: postgres, redis, ...) on offer.';
COMMENT ON COLUMN public.paas_addon_plans.quotas IS 'spec: {"cpu": cores, "memory_mb": MiB, "storage_gb": GiB, ...}';
CALL skypanel.declare_table('paas_addon_plans');

CREATE TABLE IF NOT EXISTS public.paas_templates (
    id                   uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    name                 text        NOT NULL CONSTRAINT paas_templates_name_unique UNIQUE,
    description          text,
    deploy_mode          text        NOT NULL CONSTRAINT paas_templates_deploy_mode_known CHECK (deploy_mode IN ('image', 'buildpack')),
    repo_url             text,
    image_ref            text,
    default_env          jsonb       NOT NULL DEFAULT '{}' CONSTRAINT paas_templates_default_env_object CHECK (jsonb_typeof(default_env) = 'object'),
    recommended_stack_id uuid        REFERENCES public.paas_stacks (id) ON DELETE SET NULL,
    recommended_plan_id  uuid        REFERENCES public.paas_plans (id) ON DELETE SET NULL,
    enabled              boolean     NOT NULL DEFAULT true,
    generation           bigint      NOT NULL DEFAULT 1,
    created_at           timestamptz NOT NULL DEFAULT now(),
    updated_at           timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT paas_templates_source_given CHECK (
        CASE deploy_mode WHEN 'image' THEN coalesce(image_ref, '') ~ '^\S+$' ELSE coalesce(repo_url, '') ~ '^\S+$' END)
);
COMMENT ON TABLE public.paas_templates IS 'Ready-made apps to start from.';
COMMENT ON COLUMN public.paas_templates.default_env IS 'spec: suggested config vars with harmless defaults; no secrets, every client sees them';
CREATE INDEX IF NOT EXISTS paas_templates_stack ON public.paas_templates (recommended_stack_id);
CREATE INDEX IF NOT EXISTS paas_templates_plan ON public.paas_templates (recommended_plan_id);
CALL skypanel.declare_table('paas_templates');

CREATE TABLE IF NOT EXISTS public.paas_nodes (
    id             uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    name           text        NOT NULL CONSTRAINT paas_nodes_name_unique UNIQUE
                               CONSTRAINT paas_nodes_name_not_empty CHECK (name ~ '^\S+$'),
    role           text        NOT NULL DEFAULT 'worker' CONSTRAINT paas_nodes_role_known CHECK (role IN ('manager', 'worker')),
    ipv4           inet        CONSTRAINT paas_nodes_ipv4_is_a_host CHECK (family(ipv4) = 4 AND masklen(ipv4) = 32),
    region         text        CONSTRAINT paas_nodes_region_form CHECK (skypanel.is_slug(region)),
    availability   text        NOT NULL DEFAULT 'active' CONSTRAINT paas_nodes_availability_known CHECK (availability IN ('active', 'pause', 'drain')),
    labels         jsonb       NOT NULL DEFAULT '{}' CONSTRAINT paas_nodes_labels_object CHECK (jsonb_typeof(labels) = 'object'),
    status         text        NOT NULL DEFAULT 'unknown' CONSTRAINT paas_nodes_status_known CHECK (status IN ('unknown', 'joining', 'ready', 'down', 'disconnected')),
    engine_node_id text,
    capacity       jsonb       NOT NULL DEFAULT '{}' CONSTRAINT paas_nodes_capacity_object CHECK (jsonb_typeof(capacity) = 'object'),
    tls_meta       jsonb       NOT NULL DEFAULT '{}' CONSTRAINT paas_nodes_tls_meta_object CHECK (jsonb_typeof(tls_meta) = 'object'),
    last_seen_at   timestamptz,
    deleted_at     timestamptz,
    generation     bigint      NOT NULL DEFAULT 1,
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE public.paas_nodes IS 'Machines of the Swarm: what each should be (role, region, availability, labels) and what was seen.';
COMMENT ON COLUMN public.paas_nodes.deleted_at IS 'spec: a request to drain the node and take it out of the Swarm';
COMMENT ON COLUMN public.paas_nodes.status IS 'status: as the Swarm reports it';
COMMENT ON COLUMN public.paas_nodes.engine_node_id IS 'status: the Swarm''s id of the node';
COMMENT ON COLUMN public.paas_nodes.capacity IS 'status: cores, memory and disk as seen';
COMMENT ON COLUMN public.paas_nodes.tls_meta IS 'status: issuer, subject and expiry of the node''s certificate; never a key';
COMMENT ON COLUMN public.paas_nodes.last_seen_at IS 'status: last sign of life';
CREATE UNIQUE INDEX IF NOT EXISTS paas_nodes_engine_node_unique ON public.paas_nodes (engine_node_id);
CALL skypanel.declare_table('paas_nodes', status => '{status,engine_node_id,capacity,tls_meta,last_seen_at}');
