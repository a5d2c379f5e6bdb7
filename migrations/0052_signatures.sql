-- Signatures that image policies require: the keys, and which of them were found to have signed what was judged.
-- One table that readers join already is locked in this file: caas_image_policies.

ALTER TABLE public.caas_image_policies ADD COLUMN IF NOT EXISTS signature_keys text[] NOT NULL DEFAULT '{}';
CALL skypanel.bound_table('public.caas_image_policies');
COMMENT ON COLUMN public.caas_image_policies.require_signed IS 'spec: one of signature_keys has to have signed the image, with cosign';
COMMENT ON COLUMN public.caas_image_policies.signature_keys IS 'spec: public keys in PEM, ECDSA on P-256; a policy that requires a signature and has none allows nothing';

ALTER TABLE public.caas_image_verdicts ADD COLUMN IF NOT EXISTS signed_by text[] NOT NULL DEFAULT '{}'
    CONSTRAINT caas_image_verdicts_signed_by_few CHECK (skypanel.are_words(signed_by, 64));
COMMENT ON COLUMN public.caas_image_verdicts.signed_by IS 'status: fingerprints of keys that have signed it, as far as they were asked for: a signature of a digest stays one';
