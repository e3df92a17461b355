-- name: reactions_on
-- The reactions on any of these records.
SELECT id, reaction, reactable_id, reactable_type, user_id
  FROM reactions
 WHERE (reactable_type = 'Discussion' AND reactable_id = ANY(:discussion_ids::bigint[]))
    OR (reactable_type = 'Comment' AND reactable_id = ANY(:comment_ids::bigint[]))
    OR (reactable_type = 'Outcome' AND reactable_id = ANY(:outcome_ids::bigint[]))
    OR (reactable_type = 'Stance' AND reactable_id = ANY(:stance_ids::bigint[]))
    OR (reactable_type = 'Poll' AND reactable_id = ANY(:poll_ids::bigint[]))
 ORDER BY id
