-- Reviews that were made in one go, such as all that a sample check accepts, share the uid of their decision, and are taken
-- back as one.
ALTER TABLE reviews ADD COLUMN decision TEXT;
CREATE INDEX reviews_by_decision ON reviews (decision) WHERE decision IS NOT NULL;
