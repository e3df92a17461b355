-- name: restricted_memberships
-- The memberships of somebody who came by their mails' token, and how the groups look.
SELECT m.id, m.volume, m.user_id, m.group_id, g.name AS group_name,
       l.id AS logo_id, l.filename AS logo_filename, l.content_type AS logo_content_type,
       c.id AS cover_id, c.filename AS cover_filename, c.content_type AS cover_content_type
  FROM memberships m
  JOIN groups g ON g.id = m.group_id
  LEFT JOIN active_storage_attachments la
         ON la.record_type = 'Group' AND la.record_id = g.id AND la.name = 'logo'
  LEFT JOIN active_storage_blobs l ON l.id = la.blob_id
  LEFT JOIN active_storage_attachments ca
         ON ca.record_type = 'Group' AND ca.record_id = g.id AND ca.name = 'cover_photo'
  LEFT JOIN active_storage_blobs c ON c.id = ca.blob_id
 WHERE m.user_id = :id::bigint AND m.revoked_at IS NULL
 ORDER BY m.id
