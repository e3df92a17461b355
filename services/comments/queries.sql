-- name: comment_facts
-- Which threads these comments belong to, and whether they are still there for readers.
SELECT id, discussion_id, discarded_at IS NULL AS is_kept FROM comments WHERE id = ANY(:ids::bigint[])
