-- A report of what serves is looked at also while another image is asked for, which may never come.
-- One table that readers join already is locked in this file: paas_releases.

CREATE INDEX IF NOT EXISTS paas_releases_content ON public.paas_releases (split_part(image_ref, '@', 2)) WHERE deployed_at IS NOT NULL;
