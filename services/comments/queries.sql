-- name: comment_places
-- Which threads these comments belong to.
SELECT id, discussion_id FROM comments WHERE id = ANY(:ids::bigint[])

-- name: comment_facts
-- What decides, with their threads, what somebody may do with these comments.
SELECT c.id,
       c.discussion_id,
       c.discarded_at IS NULL AS is_kept,
       (c.user_id = :actor_id::bigint) IS TRUE AS am_author,
       EXISTS (
           SELECT 1 FROM comments r WHERE r.parent_type = 'Comment' AND r.parent_id = c.id
       ) AS has_replies
  FROM comments c
 WHERE c.id = ANY(:ids::bigint[])
