-- Names of tenants do not meet: on Swarm they end with the tag of their owner, so nothing has to be unique over all
-- organizations. Renaming one never fails because of another, and nobody learns what another is called.

DROP INDEX IF EXISTS public.paas_environments_swarm_name_unique;

COMMENT ON COLUMN public.paas_environments.swarm_name IS 'derived: <organization>-<app>-<environment>, kept by a trigger; the readable part of Swarm names, cut where they are too long. Two tenants can have the same.';
COMMENT ON COLUMN public.paas_processes.type IS 'spec: web, worker, ...; no hyphen, so that it is the last part of the readable part of a Swarm name';
