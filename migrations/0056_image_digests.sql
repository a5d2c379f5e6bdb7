-- All that the content of an image goes by: the digests of its index, its manifest and its config. Scanners name it by any of them.
-- One table that readers join already is locked in this file: paas_image_facts.

ALTER TABLE public.paas_image_facts ADD COLUMN IF NOT EXISTS digests text[] NOT NULL DEFAULT '{}'
    CONSTRAINT paas_image_facts_digests_few CHECK (cardinality(digests) <= 16 AND skypanel.are_words(digests, 135));
COMMENT ON COLUMN public.paas_image_facts.digests IS
    'status: of its index, its manifest and its config; empty: it was looked up before that was written down';
