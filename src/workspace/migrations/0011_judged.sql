-- Which text of its item a review judged: where the item has another one now, the review does not count. Rows from before this
-- was noted hold for any text.
ALTER TABLE reviews ADD COLUMN judged TEXT;
