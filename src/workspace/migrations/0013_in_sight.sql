-- How many other reviewers' decisions its reviewer had in sight: a tie-break is made in sight of as many as must agree, and one
-- that came from elsewhere, or from before this was noted, is none.
ALTER TABLE reviews ADD COLUMN in_sight INTEGER NOT NULL DEFAULT 0 CHECK (in_sight >= 0);
