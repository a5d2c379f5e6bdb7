-- Which keys are needed to open what is there.

-- name: needed
-- Organizations by the key of their data key; whether anything is in the panel's own form.
SELECT (SELECT jsonb_object_agg(k.kek_id, k.organizations) FROM (SELECT kek_id, count(*) AS organizations FROM skypanel.data_keys GROUP BY 1) k),
       EXISTS (SELECT FROM skypanel.config_vars WHERE key_id IN ('panel', 'panel-org') AND deleted_at IS NULL)
    OR EXISTS (SELECT FROM skypanel.config_history WHERE key_id IN ('panel', 'panel-org'))
    OR EXISTS (SELECT FROM {logins} WHERE key_id IN ('panel', 'panel-org'))
