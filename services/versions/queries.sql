-- name: version_from_oldest
-- The version at this place of a record's history, 0 being the oldest.
SELECT v.id, v.whodunnit, v.created_at, v.item_id, v.item_type, v.object_changes,
       (SELECT max(p.id) FROM versions p
         WHERE p.item_type = v.item_type AND p.item_id = v.item_id AND p.id < v.id) AS previous_id
  FROM versions v
 WHERE v.item_type = :item_type::varchar AND v.item_id = :item_id::bigint
 ORDER BY v.created_at, v.id
 LIMIT 1 OFFSET :place::bigint

-- name: version_from_newest
-- The version at this place of a record's history, 0 being the newest.
SELECT v.id, v.whodunnit, v.created_at, v.item_id, v.item_type, v.object_changes,
       (SELECT max(p.id) FROM versions p
         WHERE p.item_type = v.item_type AND p.item_id = v.item_id AND p.id < v.id) AS previous_id
  FROM versions v
 WHERE v.item_type = :item_type::varchar AND v.item_id = :item_id::bigint
 ORDER BY v.created_at DESC, v.id DESC
 LIMIT 1 OFFSET :place::bigint
