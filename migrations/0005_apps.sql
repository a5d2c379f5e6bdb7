-- Apps: organizations that use the platform, their apps, environments, processes and domains,
-- and what belongs to an environment: volumes, addons, webhooks, builds, releases, runs, containers, usage.

CREATE TABLE IF NOT EXISTS public.paas_organizations (
    organization_id uuid        PRIMARY KEY REFERENCES public.organizations (id) ON DELETE CASCADE,
    suspended       boolean     NOT NULL DEFAULT false,
    network_prefix  smallint    NOT NULL DEFAULT 24 CONSTRAINT paas_organizations_network_prefix_range CHECK (network_prefix BETWEEN 16 AND 28),
    inputs_version  bigint      NOT NULL DEFAULT 1,
    deleted_at      timestamptz,
    generation      bigint      NOT NULL DEFAULT 1,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE public.paas_organizations IS 'Organizations that use the platform: only these get a network. A trigger adds the row with the first app.';
COMMENT ON COLUMN public.paas_organizations.suspended IS 'spec: everything of the organization runs at 0 replicas';
COMMENT ON COLUMN public.paas_organizations.network_prefix IS 'spec: size of its network, as a prefix length; 24 has room for 252 addresses';
COMMENT ON COLUMN public.paas_organizations.inputs_version IS 'Raised by triggers when something that this row depends on elsewhere has changed; writing it only raises generation.';
COMMENT ON COLUMN public.paas_organizations.deleted_at IS 'spec: a request to remove everything that runs for the organization';
CALL skypanel.declare_table('paas_organizations', kind => 'organization', key => 'organization_id');

CREATE TABLE IF NOT EXISTS public.paas_apps (
    id              uuid         PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id uuid         NOT NULL REFERENCES public.paas_organizations (organization_id) ON DELETE CASCADE,
    name            varchar(255) NOT NULL CONSTRAINT paas_apps_name_not_empty CHECK (name ~ '\S'),
    slug            text         NOT NULL CONSTRAINT paas_apps_slug_form CHECK (skypanel.is_slug(slug)),
    suspended       boolean      NOT NULL DEFAULT false,
    repo_url        text         CONSTRAINT paas_apps_repo_url_no_spaces CHECK (repo_url ~ '^\S+$'),
    buildpack       text,
    created_by      uuid         REFERENCES public.users (id) ON DELETE SET NULL,
    deleted_at      timestamptz,
    generation      bigint       NOT NULL DEFAULT 1,
    created_at      timestamptz  NOT NULL DEFAULT now(),
    updated_at      timestamptz  NOT NULL DEFAULT now()
);
COMMENT ON TABLE public.paas_apps IS 'An app of an organization; what runs is in its environments.';
COMMENT ON COLUMN public.paas_apps.name IS 'spec: for people';
COMMENT ON COLUMN public.paas_apps.slug IS 'spec: for machines, a part of the Swarm names; made from name where it is not given';
COMMENT ON COLUMN public.paas_apps.suspended IS 'spec: all its environments run at 0 replicas';
COMMENT ON COLUMN public.paas_apps.created_by IS 'spec: who made it; NULL when that user is gone';
COMMENT ON COLUMN public.paas_apps.deleted_at IS 'spec: a request to remove the app with all its environments';
CREATE UNIQUE INDEX IF NOT EXISTS paas_apps_slug_unique ON public.paas_apps (organization_id, slug) WHERE deleted_at IS NULL;
CREATE INDEX IF NOT EXISTS paas_apps_organization ON public.paas_apps (organization_id);
CREATE INDEX IF NOT EXISTS paas_apps_created_by ON public.paas_apps (created_by);
CALL skypanel.declare_table('paas_apps', kind => 'app');

CREATE TABLE IF NOT EXISTS public.paas_environments (
    id                 uuid         PRIMARY KEY DEFAULT gen_random_uuid(),
    app_id             uuid         NOT NULL REFERENCES public.paas_apps (id) ON DELETE CASCADE,
    name               text         NOT NULL CONSTRAINT paas_environments_name_form CHECK (skypanel.is_slug(name)),
    swarm_name         text         NOT NULL,
    region             text         CONSTRAINT paas_environments_region_form CHECK (skypanel.is_slug(region)),
    plan_id            uuid         REFERENCES public.paas_plans (id) ON DELETE RESTRICT,
    deploy_mode        text         NOT NULL DEFAULT 'image' CONSTRAINT paas_environments_deploy_mode_known CHECK (deploy_mode IN ('image', 'buildpack')),
    image_ref          text         CONSTRAINT paas_environments_image_ref_no_spaces CHECK (image_ref ~ '^\S+$'),
    entrypoint         text[]       CONSTRAINT paas_environments_entrypoint_words CHECK (skypanel.is_argv(entrypoint)),
    cmd                text[]       CONSTRAINT paas_environments_cmd_words CHECK (skypanel.is_argv(cmd)),
    instances          integer      NOT NULL DEFAULT 1 CONSTRAINT paas_environments_instances_range CHECK (instances BETWEEN 0 AND 1000),
    cpu_limit          numeric(6,3) CONSTRAINT paas_environments_cpu_limit_positive CHECK (cpu_limit > 0),
    memory_mb          integer      CONSTRAINT paas_environments_memory_mb_at_least_4 CHECK (memory_mb >= 4),
    port               integer      CONSTRAINT paas_environments_port_range CHECK (port BETWEEN 1 AND 65535),
    ports              jsonb        NOT NULL DEFAULT '[]' CONSTRAINT paas_environments_ports_list CHECK (jsonb_typeof(ports) = 'array'),
    volumes            jsonb        NOT NULL DEFAULT '[]' CONSTRAINT paas_environments_volumes_list CHECK (jsonb_typeof(volumes) = 'array'),
    healthcheck        jsonb        CONSTRAINT paas_environments_healthcheck_form CHECK (healthcheck IS NULL OR skypanel.is_healthcheck(healthcheck)),
    stop_grace_seconds integer      NOT NULL DEFAULT 10 CONSTRAINT paas_environments_stop_grace_seconds_range CHECK (stop_grace_seconds BETWEEN 0 AND 3600),
    read_only_root     boolean      NOT NULL DEFAULT true,
    tmpfs_paths        text[]       NOT NULL DEFAULT '{/tmp}' CONSTRAINT paas_environments_tmpfs_paths_absolute CHECK (skypanel.are_absolute_paths(tmpfs_paths)),
    run_as             text         CONSTRAINT paas_environments_run_as_form CHECK (run_as ~ '^[0-9]{1,10}(:[0-9]{1,10})?$'),
    suspended          boolean      NOT NULL DEFAULT false,
    inputs_version     bigint       NOT NULL DEFAULT 1,
    deleted_at         timestamptz,
    generation         bigint       NOT NULL DEFAULT 1,
    created_at         timestamptz  NOT NULL DEFAULT now(),
    updated_at         timestamptz  NOT NULL DEFAULT now(),
    CONSTRAINT paas_environments_image_ref_given CHECK (deploy_mode <> 'image' OR image_ref IS NOT NULL)
);
COMMENT ON TABLE public.paas_environments IS 'One running instance of an app. Without rows in paas_processes it runs one process "web" from its own columns.';
COMMENT ON COLUMN public.paas_environments.name IS 'spec: production, staging, ...';
COMMENT ON COLUMN public.paas_environments.swarm_name IS 'derived: <organization>-<app>-<environment>, kept by a trigger; the stem of all Swarm names. Longer than 63 characters it is cut with a hash when used.';
COMMENT ON COLUMN public.paas_environments.region IS 'spec: where to run; NULL is anywhere';
COMMENT ON COLUMN public.paas_environments.image_ref IS 'spec: image mode: what to run; buildpack mode: set by a release';
COMMENT ON COLUMN public.paas_environments.entrypoint IS 'spec: replaces the image''s entry point';
COMMENT ON COLUMN public.paas_environments.cmd IS 'spec: replaces the image''s arguments';
COMMENT ON COLUMN public.paas_environments.instances IS 'spec: replicas of the implicit process "web"';
COMMENT ON COLUMN public.paas_environments.cpu_limit IS 'spec: cores each replica may use; NULL takes the plan''s';
COMMENT ON COLUMN public.paas_environments.memory_mb IS 'spec: MiB each replica may use; NULL takes the plan''s';
COMMENT ON COLUMN public.paas_environments.port IS 'spec: where the implicit process "web" listens in the container';
COMMENT ON COLUMN public.paas_environments.ports IS 'spec: more ports, a list of objects';
COMMENT ON COLUMN public.paas_environments.volumes IS 'spec: mounts, a list of objects';
COMMENT ON COLUMN public.paas_environments.healthcheck IS 'spec: {"command": [...], "interval_seconds": 10, "timeout_seconds": 5, "retries": 3, "start_period_seconds": 0}';
COMMENT ON COLUMN public.paas_environments.stop_grace_seconds IS 'spec: seconds between SIGTERM and SIGKILL';
COMMENT ON COLUMN public.paas_environments.tmpfs_paths IS 'spec: writable in-memory paths of the read-only root';
COMMENT ON COLUMN public.paas_environments.run_as IS 'spec: numeric uid[:gid]; NULL takes the image''s user';
COMMENT ON COLUMN public.paas_environments.inputs_version IS 'Raised by triggers when a process, domain, config var, the plan, app or organization has changed; writing it only raises generation.';
COMMENT ON COLUMN public.paas_environments.deleted_at IS 'spec: a request to remove everything that runs for the environment';
CREATE UNIQUE INDEX IF NOT EXISTS paas_environments_name_unique ON public.paas_environments (app_id, name) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX IF NOT EXISTS paas_environments_swarm_name_unique ON public.paas_environments (swarm_name) WHERE deleted_at IS NULL;
CREATE INDEX IF NOT EXISTS paas_environments_app ON public.paas_environments (app_id);
CREATE INDEX IF NOT EXISTS paas_environments_plan ON public.paas_environments (plan_id);
CALL skypanel.declare_table('paas_environments', kind => 'environment', derived => '{swarm_name}');

CREATE TABLE IF NOT EXISTS public.paas_processes (
    id                 uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    environment_id     uuid        NOT NULL REFERENCES public.paas_environments (id) ON DELETE CASCADE,
    type               text        NOT NULL CONSTRAINT paas_processes_type_form CHECK (type ~ '^[a-z][a-z0-9]{0,19}$'),
    command            text[]      CONSTRAINT paas_processes_command_words CHECK (skypanel.is_argv(command)),
    args               text[]      CONSTRAINT paas_processes_args_words CHECK (skypanel.is_argv(args)),
    instances          integer     NOT NULL DEFAULT 1 CONSTRAINT paas_processes_instances_range CHECK (instances BETWEEN 0 AND 1000),
    port               integer     CONSTRAINT paas_processes_port_range CHECK (port BETWEEN 1 AND 65535),
    healthcheck        jsonb       CONSTRAINT paas_processes_healthcheck_form CHECK (healthcheck IS NULL OR skypanel.is_healthcheck(healthcheck)),
    stop_grace_seconds integer     CONSTRAINT paas_processes_stop_grace_seconds_range CHECK (stop_grace_seconds BETWEEN 0 AND 3600),
    deleted_at         timestamptz,
    generation         bigint      NOT NULL DEFAULT 1,
    created_at         timestamptz NOT NULL DEFAULT now(),
    updated_at         timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE public.paas_processes IS 'The processes of an environment: one Swarm service each.';
COMMENT ON COLUMN public.paas_processes.type IS 'spec: web, worker, ...; no hyphen, so that <swarm_name>-<type> is unique';
COMMENT ON COLUMN public.paas_processes.command IS 'spec: replaces the entry point';
COMMENT ON COLUMN public.paas_processes.args IS 'spec: replaces the arguments';
COMMENT ON COLUMN public.paas_processes.instances IS 'spec: replicas';
COMMENT ON COLUMN public.paas_processes.port IS 'spec: where it listens in the container';
COMMENT ON COLUMN public.paas_processes.stop_grace_seconds IS 'spec: NULL takes the environment''s';
COMMENT ON COLUMN public.paas_processes.deleted_at IS 'spec: a request to remove its service';
CREATE UNIQUE INDEX IF NOT EXISTS paas_processes_type_unique ON public.paas_processes (environment_id, type) WHERE deleted_at IS NULL;
CREATE INDEX IF NOT EXISTS paas_processes_environment ON public.paas_processes (environment_id);
CALL skypanel.declare_table('paas_processes', kind => 'process');

CREATE TABLE IF NOT EXISTS public.paas_domains (
    id                uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    environment_id    uuid        NOT NULL REFERENCES public.paas_environments (id) ON DELETE CASCADE,
    hostname          text        NOT NULL CONSTRAINT paas_domains_hostname_form CHECK (skypanel.is_hostname(hostname)),
    process_type      text        NOT NULL DEFAULT 'web' CONSTRAINT paas_domains_process_type_form CHECK (process_type ~ '^[a-z][a-z0-9]{0,19}$'),
    dns_verify_status text        NOT NULL DEFAULT 'pending' CONSTRAINT paas_domains_dns_verify_status_known CHECK (dns_verify_status IN ('pending', 'verified', 'failed')),
    tls_status        text        NOT NULL DEFAULT 'pending' CONSTRAINT paas_domains_tls_status_known CHECK (tls_status IN ('pending', 'issued', 'failed', 'disabled')),
    deleted_at        timestamptz,
    generation        bigint      NOT NULL DEFAULT 1,
    created_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE public.paas_domains IS 'Host names that the edge routes to a process.';
COMMENT ON COLUMN public.paas_domains.hostname IS 'spec: one environment at most has it';
COMMENT ON COLUMN public.paas_domains.process_type IS 'spec: which process answers';
COMMENT ON COLUMN public.paas_domains.dns_verify_status IS 'status: whether the name was seen to be its owner''s';
COMMENT ON COLUMN public.paas_domains.tls_status IS 'status: of the certificate';
COMMENT ON COLUMN public.paas_domains.deleted_at IS 'spec: a request to stop routing it';
CREATE UNIQUE INDEX IF NOT EXISTS paas_domains_hostname_unique ON public.paas_domains (hostname) WHERE deleted_at IS NULL;
CREATE INDEX IF NOT EXISTS paas_domains_environment ON public.paas_domains (environment_id);
CALL skypanel.declare_table('paas_domains', kind => 'domain', status => '{dns_verify_status,tls_status}');

CREATE TABLE IF NOT EXISTS public.paas_volumes (
    id              uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id uuid        NOT NULL REFERENCES public.paas_organizations (organization_id) ON DELETE CASCADE,
    environment_id  uuid        REFERENCES public.paas_environments (id) ON DELETE SET NULL,
    name            text        NOT NULL CONSTRAINT paas_volumes_name_form CHECK (skypanel.is_slug(name)),
    driver          text        NOT NULL DEFAULT 'local',
    size_gb         integer     NOT NULL CONSTRAINT paas_volumes_size_gb_positive CHECK (size_gb > 0),
    encrypted       boolean     NOT NULL DEFAULT false,
    backup_policy   jsonb       CONSTRAINT paas_volumes_backup_policy_object CHECK (jsonb_typeof(backup_policy) = 'object'),
    status          text        NOT NULL DEFAULT 'pending' CONSTRAINT paas_volumes_status_known CHECK (status IN ('pending', 'ready', 'failed', 'deleting')),
    deleted_at      timestamptz,
    generation      bigint      NOT NULL DEFAULT 1,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE public.paas_volumes IS 'Named volumes. A volume outlives its environment: only its own deleted_at asks for its data to go.';
COMMENT ON COLUMN public.paas_volumes.status IS 'status';
COMMENT ON COLUMN public.paas_volumes.deleted_at IS 'spec: a request to destroy the volume and its data';
CREATE UNIQUE INDEX IF NOT EXISTS paas_volumes_name_unique ON public.paas_volumes (organization_id, name) WHERE deleted_at IS NULL;
CREATE INDEX IF NOT EXISTS paas_volumes_organization ON public.paas_volumes (organization_id);
CREATE INDEX IF NOT EXISTS paas_volumes_environment ON public.paas_volumes (environment_id);
CALL skypanel.declare_table('paas_volumes', status => '{status}');

CREATE TABLE IF NOT EXISTS public.paas_addons (
    id             uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    environment_id uuid        NOT NULL REFERENCES public.paas_environments (id) ON DELETE CASCADE,
    type           text        NOT NULL CONSTRAINT paas_addons_type_form CHECK (skypanel.is_slug(type)),
    name           text        NOT NULL CONSTRAINT paas_addons_name_form CHECK (skypanel.is_slug(name)),
    plan_id        uuid        NOT NULL REFERENCES public.paas_addon_plans (id) ON DELETE RESTRICT,
    backup_policy  jsonb       CONSTRAINT paas_addons_backup_policy_object CHECK (jsonb_typeof(backup_policy) = 'object'),
    status         text        NOT NULL DEFAULT 'pending' CONSTRAINT paas_addons_status_known CHECK (status IN ('pending', 'provisioning', 'ready', 'failed', 'deleting')),
    deleted_at     timestamptz,
    generation     bigint      NOT NULL DEFAULT 1,
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE public.paas_addons IS 'Managed services of an environment.';
COMMENT ON COLUMN public.paas_addons.status IS 'status';
COMMENT ON COLUMN public.paas_addons.deleted_at IS 'spec: a request to remove the service and its data';
CREATE UNIQUE INDEX IF NOT EXISTS paas_addons_name_unique ON public.paas_addons (environment_id, name) WHERE deleted_at IS NULL;
CREATE INDEX IF NOT EXISTS paas_addons_environment ON public.paas_addons (environment_id);
CREATE INDEX IF NOT EXISTS paas_addons_plan ON public.paas_addons (plan_id);
CALL skypanel.declare_table('paas_addons', status => '{status}');

CREATE TABLE IF NOT EXISTS public.paas_webhooks (
    id            uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    app_id        uuid        NOT NULL REFERENCES public.paas_apps (id) ON DELETE CASCADE,
    provider      text        NOT NULL CONSTRAINT paas_webhooks_provider_known CHECK (provider IN ('github', 'gitlab')),
    repo          text        NOT NULL CONSTRAINT paas_webhooks_repo_not_empty CHECK (repo ~ '^\S+$'),
    branch        text        NOT NULL CONSTRAINT paas_webhooks_branch_not_empty CHECK (branch ~ '^\S+$'),
    secret        bytea       NOT NULL,
    secret_key_id text        NOT NULL,
    generation    bigint      NOT NULL DEFAULT 1,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT paas_webhooks_once UNIQUE (app_id, provider, repo, branch)
);
COMMENT ON TABLE public.paas_webhooks IS 'Pushes that start a build.';
COMMENT ON COLUMN public.paas_webhooks.secret IS 'spec: ciphertext of the shared secret; the key is not in the database';
COMMENT ON COLUMN public.paas_webhooks.secret_key_id IS 'spec: which key it was encrypted with';
CALL skypanel.declare_table('paas_webhooks', secret => '{secret}');

CREATE TABLE IF NOT EXISTS public.paas_deployments (
    id             uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    environment_id uuid        NOT NULL REFERENCES public.paas_environments (id) ON DELETE CASCADE,
    git_sha        text        CONSTRAINT paas_deployments_git_sha_form CHECK (git_sha ~ '^[0-9a-f]{40}([0-9a-f]{24})?$'),
    image_ref      text,
    status         text        NOT NULL DEFAULT 'pending' CONSTRAINT paas_deployments_status_known
                               CHECK (status IN ('pending', 'building', 'deploying', 'succeeded', 'failed', 'cancelled')),
    logs_ref       text,
    started_at     timestamptz,
    completed_at   timestamptz,
    generation     bigint      NOT NULL DEFAULT 1,
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT paas_deployments_times_in_order CHECK (completed_at >= started_at)
);
COMMENT ON TABLE public.paas_deployments IS 'Asked-for builds and rollouts, and how each went.';
COMMENT ON COLUMN public.paas_deployments.status IS 'status';
COMMENT ON COLUMN public.paas_deployments.logs_ref IS 'status: where the build''s log is';
COMMENT ON COLUMN public.paas_deployments.started_at IS 'status';
COMMENT ON COLUMN public.paas_deployments.completed_at IS 'status';
CREATE INDEX IF NOT EXISTS paas_deployments_environment ON public.paas_deployments (environment_id, created_at DESC);
CALL skypanel.declare_table('paas_deployments', status => '{status,logs_ref,started_at,completed_at}');

CREATE TABLE IF NOT EXISTS public.paas_releases (
    id              uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    environment_id  uuid        NOT NULL REFERENCES public.paas_environments (id) ON DELETE CASCADE,
    version         integer     NOT NULL CONSTRAINT paas_releases_version_positive CHECK (version > 0),
    image_ref       text        NOT NULL CONSTRAINT paas_releases_image_ref_not_empty CHECK (image_ref ~ '^\S+$'),
    processes       jsonb       NOT NULL DEFAULT '[]' CONSTRAINT paas_releases_processes_list CHECK (jsonb_typeof(processes) = 'array'),
    config_snapshot jsonb       NOT NULL DEFAULT '{}' CONSTRAINT paas_releases_config_snapshot_object CHECK (jsonb_typeof(config_snapshot) = 'object'),
    is_primary      boolean     NOT NULL DEFAULT false,
    created_by      uuid        REFERENCES public.users (id) ON DELETE SET NULL,
    generation      bigint      NOT NULL DEFAULT 1,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT paas_releases_version_unique UNIQUE (environment_id, version)
);
COMMENT ON TABLE public.paas_releases IS 'What ran: image digest, processes and config versions. Only is_primary changes after the insert; a rollback moves it.';
COMMENT ON COLUMN public.paas_releases.image_ref IS 'status: with its digest';
COMMENT ON COLUMN public.paas_releases.config_snapshot IS 'status: {"NAME": version}; never a value';
COMMENT ON COLUMN public.paas_releases.is_primary IS 'status: the release that should run; at most one of an environment';
CREATE UNIQUE INDEX IF NOT EXISTS paas_releases_one_primary ON public.paas_releases (environment_id) WHERE is_primary;
CREATE INDEX IF NOT EXISTS paas_releases_created_by ON public.paas_releases (created_by);

CREATE TABLE IF NOT EXISTS public.paas_runs (
    id             uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    environment_id uuid        NOT NULL REFERENCES public.paas_environments (id) ON DELETE CASCADE,
    command        text[]      NOT NULL CONSTRAINT paas_runs_command_words CHECK (skypanel.is_argv(command)),
    triggered_by   uuid        REFERENCES public.users (id) ON DELETE SET NULL,
    status         text        NOT NULL DEFAULT 'pending' CONSTRAINT paas_runs_status_known
                               CHECK (status IN ('pending', 'running', 'succeeded', 'failed', 'cancelled')),
    logs_ref       text,
    started_at     timestamptz,
    finished_at    timestamptz,
    generation     bigint      NOT NULL DEFAULT 1,
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT paas_runs_times_in_order CHECK (finished_at >= started_at)
);
COMMENT ON TABLE public.paas_runs IS 'One-off commands in an environment.';
COMMENT ON COLUMN public.paas_runs.status IS 'status';
COMMENT ON COLUMN public.paas_runs.logs_ref IS 'status: where its output is';
COMMENT ON COLUMN public.paas_runs.started_at IS 'status';
COMMENT ON COLUMN public.paas_runs.finished_at IS 'status';
CREATE INDEX IF NOT EXISTS paas_runs_environment ON public.paas_runs (environment_id, created_at DESC);
CREATE INDEX IF NOT EXISTS paas_runs_triggered_by ON public.paas_runs (triggered_by);
CALL skypanel.declare_table('paas_runs', status => '{status,logs_ref,started_at,finished_at}');

CREATE TABLE IF NOT EXISTS public.paas_containers (
    id             uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    environment_id uuid        NOT NULL REFERENCES public.paas_environments (id) ON DELETE CASCADE,
    node_id        uuid        REFERENCES public.paas_nodes (id) ON DELETE SET NULL,
    process_type   text        NOT NULL DEFAULT 'web',
    task_id        text        NOT NULL CONSTRAINT paas_containers_task_unique UNIQUE,
    status         text        NOT NULL,
    health         text        CONSTRAINT paas_containers_health_known CHECK (health IN ('starting', 'healthy', 'unhealthy')),
    started_at     timestamptz,
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE public.paas_containers IS 'status: the live tasks as last seen; a copy for the panel, never an input.';
COMMENT ON COLUMN public.paas_containers.task_id IS 'status: the Swarm''s id of the task';
CREATE INDEX IF NOT EXISTS paas_containers_environment ON public.paas_containers (environment_id);
CREATE INDEX IF NOT EXISTS paas_containers_node ON public.paas_containers (node_id);

CREATE TABLE IF NOT EXISTS public.paas_usage (
    id                uuid          PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id   uuid          NOT NULL REFERENCES public.organizations (id) ON DELETE CASCADE,
    app_id            uuid          NOT NULL,
    environment_id    uuid          NOT NULL,
    period_start      timestamptz   NOT NULL CONSTRAINT paas_usage_period_start_on_the_hour
                                    CHECK (date_trunc('hour', period_start AT TIME ZONE 'UTC') = period_start AT TIME ZONE 'UTC'),
    cpu_ms            bigint        NOT NULL DEFAULT 0 CONSTRAINT paas_usage_cpu_ms_not_negative CHECK (cpu_ms >= 0),
    memory_mb_seconds bigint        NOT NULL DEFAULT 0 CONSTRAINT paas_usage_memory_not_negative CHECK (memory_mb_seconds >= 0),
    storage_gb_hours  numeric(14,4) NOT NULL DEFAULT 0 CONSTRAINT paas_usage_storage_not_negative CHECK (storage_gb_hours >= 0),
    egress_bytes      bigint        NOT NULL DEFAULT 0 CONSTRAINT paas_usage_egress_not_negative CHECK (egress_bytes >= 0),
    created_at        timestamptz   NOT NULL DEFAULT now(),
    updated_at        timestamptz   NOT NULL DEFAULT now(),
    CONSTRAINT paas_usage_once_an_hour UNIQUE (environment_id, period_start)
);
COMMENT ON TABLE public.paas_usage IS 'status: what each environment used, one row an hour (UTC). Outlives app and environment, for the bill.';
CREATE INDEX IF NOT EXISTS paas_usage_organization ON public.paas_usage (organization_id, period_start);
