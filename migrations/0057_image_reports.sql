-- Vulnerability reports of images, by digest, as whoever scans hands them in; and the limits that image policies set to what they find.
-- One table that readers join already is locked in this file: caas_image_policies.

CREATE OR REPLACE FUNCTION skypanel.are_vulnerability_limits(p_limits jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN p_limits IS NULL THEN NULL
            WHEN jsonb_typeof(p_limits) IS DISTINCT FROM 'object'
                 OR p_limits - '{critical,high,medium,low,unknown,only_fixable,max_age_days,without_report}'::text[] <> '{}'::jsonb THEN false
            WHEN p_limits::text ~ '\.' THEN false
            ELSE coalesce(skypanel.is_number_between(p_limits -> 'critical'::text, 0, 1000000), true)
                 AND coalesce(skypanel.is_number_between(p_limits -> 'high'::text, 0, 1000000), true)
                 AND coalesce(skypanel.is_number_between(p_limits -> 'medium'::text, 0, 1000000), true)
                 AND coalesce(skypanel.is_number_between(p_limits -> 'low'::text, 0, 1000000), true)
                 AND coalesce(skypanel.is_number_between(p_limits -> 'unknown'::text, 0, 1000000), true)
                 AND coalesce(skypanel.is_number_between(p_limits -> 'max_age_days'::text, 1, 3650), true)
                 AND coalesce(jsonb_typeof(p_limits -> 'only_fixable'::text) = 'boolean', true)
                 AND coalesce(p_limits -> 'without_report'::text IN ('"wait"'::jsonb, '"refuse"'::jsonb, '"allow"'::jsonb), true) END;
COMMENT ON FUNCTION skypanel.are_vulnerability_limits IS
    'How many vulnerabilities of each severity an image may have, by a report of at most max_age_days; without_report: wait, refuse or allow.';

ALTER TABLE public.caas_image_policies ADD COLUMN IF NOT EXISTS vulnerabilities jsonb
    CONSTRAINT caas_image_policies_vulnerabilities_bounded CHECK (skypanel.are_vulnerability_limits(vulnerabilities));
CALL skypanel.bound_table('public.caas_image_policies');
COMMENT ON COLUMN public.caas_image_policies.vulnerabilities IS
    'spec: {"critical": 0, "high": 5, "only_fixable": true, "max_age_days": 7, "without_report": "wait"}; NULL: no report is asked for';

ALTER TABLE public.caas_image_verdicts DROP CONSTRAINT IF EXISTS caas_image_verdicts_verdict_known;
ALTER TABLE public.caas_image_verdicts ADD CONSTRAINT caas_image_verdicts_verdict_known
    CHECK (verdict IN ('allowed', 'audited', 'marked', 'refused', 'stopped', 'awaited'));
COMMENT ON COLUMN public.caas_image_verdicts.verdict IS
    'status: allowed; audited: it violates one that only says so; marked: it runs already, and goes on; awaited: a report of it; refused; stopped: it ran';

-- Reports: one for each content, the newest.

CREATE TABLE IF NOT EXISTS public.caas_image_reports (
    digest     text        PRIMARY KEY,
    digests    text[]      NOT NULL,
    scanner    text        NOT NULL,
    reference  text        NOT NULL,
    scanned_at timestamptz NOT NULL CONSTRAINT caas_image_reports_scanned_at_readable CHECK (scanned_at >= timestamptz '2000-01-01 00:00:00+00'),
    found      integer[]   NOT NULL,
    fixable    integer[]   NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT caas_image_reports_digest_form CHECK (digest ~ '^sha(256:[0-9a-f]{64}|384:[0-9a-f]{96}|512:[0-9a-f]{128})$'),
    CONSTRAINT caas_image_reports_digests_form CHECK (digest = ANY (digests) AND cardinality(digests) <= 64 AND skypanel.are_words(digests, 64, 8640)),
    CONSTRAINT caas_image_reports_scanner_bounded CHECK (length(scanner) BETWEEN 1 AND 64),
    CONSTRAINT caas_image_reports_reference_bounded CHECK (length(reference) <= 1024),
    CONSTRAINT caas_image_reports_counts CHECK (
        cardinality(found) = 5 AND cardinality(fixable) = 5 AND array_position(found, NULL::integer) IS NULL AND array_position(fixable, NULL::integer) IS NULL
        AND 0 <= ALL (fixable) AND 1000000 >= ALL (found)
        AND fixable[1] <= found[1] AND fixable[2] <= found[2] AND fixable[3] <= found[3] AND fixable[4] <= found[4] AND fixable[5] <= found[5])
);
COMMENT ON TABLE public.caas_image_reports IS
    'status: what scanners found in images, the newest report of each content. It says nothing of whose images they are: reference is for operators.';
COMMENT ON COLUMN public.caas_image_reports.digest IS 'status: of the content: the image''s id where the scanner said it';
COMMENT ON COLUMN public.caas_image_reports.digests IS 'status: all that the scanner called it by';
COMMENT ON COLUMN public.caas_image_reports.reference IS 'status: what was scanned; no verdict says it, as it may be another organization''s name for the same content';
COMMENT ON COLUMN public.caas_image_reports.scanned_at IS 'status: by the scanner''s clock';
COMMENT ON COLUMN public.caas_image_reports.found IS 'status: vulnerabilities: critical, high, medium, low, unknown';
COMMENT ON COLUMN public.caas_image_reports.fixable IS 'status: those of them that a newer version of their package has not';
CREATE INDEX IF NOT EXISTS caas_image_reports_by_digest ON public.caas_image_reports USING gin (digests);
CREATE INDEX IF NOT EXISTS caas_image_reports_newest ON public.caas_image_reports (scanned_at);
CREATE OR REPLACE TRIGGER update_caas_image_reports_updated_at BEFORE UPDATE ON public.caas_image_reports
    FOR EACH ROW EXECUTE FUNCTION skypanel.touch_updated_at();

CREATE OR REPLACE FUNCTION skypanel.look_again_when_scanned() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
-- Who runs this content, or wants to, is looked at again; where the report says the same as before, only those with whom something is
-- amiss. Nothing that is declared has changed, so no generation does.
DECLARE
    same boolean := TG_OP = 'UPDATE';
BEGIN
    IF same THEN
        same := (OLD.found, OLD.fixable) = (NEW.found, NEW.fixable) AND OLD.digests @> NEW.digests;
    END IF;
    INSERT INTO skypanel.change_log (kind, id, organization_id, op)
    SELECT 'environment', e.id, a.organization_id, 'U'
      FROM (SELECT f.environment_id FROM public.paas_image_facts f
             WHERE f.digests && NEW.digests OR (f.digests = '{}' AND split_part(f.pinned, '@', 2) = ANY (NEW.digests))
             UNION
            SELECT v.id FROM public.paas_environments v JOIN public.paas_releases r ON (r.environment_id, r.version) = (v.id, v.release)
             WHERE r.resolved -> 'digests' ?| NEW.digests OR split_part(r.resolved ->> 'pinned', '@', 2) = ANY (NEW.digests)
             UNION
            SELECT r.environment_id FROM public.paas_releases r
             WHERE r.deployed_at IS NOT NULL AND split_part(r.image_ref, '@', 2) = ANY (NEW.digests)
               AND r.version = (SELECT max(n.version) FROM public.paas_releases n
                                 WHERE n.environment_id = r.environment_id AND n.deployed_at IS NOT NULL)) concerned
      JOIN public.paas_environments e ON e.id = concerned.environment_id AND e.deleted_at IS NULL
      JOIN public.paas_apps a ON a.id = e.app_id
     WHERE NOT same OR 'allowed' IS DISTINCT FROM (SELECT v.verdict FROM public.caas_image_verdicts v
                                                    WHERE v.environment_id = e.id ORDER BY v.updated_at DESC LIMIT 1);
    RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER caas_image_reports_look_again AFTER INSERT OR UPDATE ON public.caas_image_reports
    FOR EACH ROW EXECUTE FUNCTION skypanel.look_again_when_scanned();

CREATE OR REPLACE FUNCTION skypanel.report_image(
    p_digest text, p_digests text[], p_scanner text, p_reference text, p_scanned_at timestamptz, p_found integer[], p_fixable integer[]) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF p_scanned_at > now() + interval '1 hour' THEN
        RAISE EXCEPTION 'the report is from the future: %', p_scanned_at
            USING ERRCODE = 'check_violation', CONSTRAINT = 'caas_image_reports_scanned_at_past', TABLE = 'caas_image_reports', SCHEMA = 'public',
                  HINT = 'Set the clock of the machine that scans.';
    END IF;
    INSERT INTO public.caas_image_reports AS r (digest, digests, scanner, reference, scanned_at, found, fixable)
    VALUES (p_digest, p_digests, p_scanner, p_reference, p_scanned_at, p_found, p_fixable)
    ON CONFLICT (digest) DO UPDATE
       SET digests = ARRAY(SELECT d FROM (SELECT d, min(place) AS place FROM unnest(EXCLUDED.digests || r.digests) WITH ORDINALITY AS u(d, place) GROUP BY d) s
                            ORDER BY place LIMIT 64),
           scanner = EXCLUDED.scanner, reference = EXCLUDED.reference, scanned_at = EXCLUDED.scanned_at, found = EXCLUDED.found, fixable = EXCLUDED.fixable
     WHERE r.scanned_at < EXCLUDED.scanned_at;
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION skypanel.report_image IS
    'Hands in a vulnerability report; whether it is newer than what is there. Names of the same content that reports before had stay.';

CREATE OR REPLACE FUNCTION skypanel.prune_image_reports(p_days integer, p_most integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    gone integer;
BEGIN
    WITH named AS MATERIALIZED (
        SELECT unnest(f.digests || split_part(f.pinned, '@', 2)) AS digest FROM public.paas_image_facts f
        UNION
        SELECT unnest(ARRAY(SELECT jsonb_array_elements_text(r.resolved -> 'digests')) || split_part(r.resolved ->> 'pinned', '@', 2))
          FROM public.paas_environments e JOIN public.paas_releases r ON (r.environment_id, r.version) = (e.id, e.release)
    ), wanted AS MATERIALIZED (
        SELECT r.digest FROM public.caas_image_reports r CROSS JOIN LATERAL unnest(r.digests) d JOIN named ON named.digest = d
    )
    DELETE FROM public.caas_image_reports WHERE digest IN (
        SELECT r.digest FROM public.caas_image_reports r
         WHERE r.scanned_at < now() - make_interval(days => p_days) AND NOT EXISTS (SELECT FROM wanted w WHERE w.digest = r.digest)
         LIMIT p_most FOR UPDATE SKIP LOCKED);
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN gone;
END
$$;
COMMENT ON FUNCTION skypanel.prune_image_reports IS 'One piece of the reports that are older than so many days, of what no environment names; how many rows.';
REVOKE EXECUTE ON FUNCTION skypanel.look_again_when_scanned, skypanel.report_image, skypanel.prune_image_reports FROM PUBLIC;
