-- name: authors
-- People by id, with the picture that they uploaded, if any.
SELECT u.id, u.name, u.email::text AS email, u.username, u.avatar_initials, u.avatar_kind, u.time_zone,
       u.selected_locale, u.detected_locale, u.created_at, u.experiences, u.email_verified, u.bot, u.deactivated_at,
       b.id AS avatar_blob_id, b.filename AS avatar_filename, b.content_type AS avatar_content_type
  FROM users u
  LEFT JOIN active_storage_attachments a
         ON a.record_type = 'User' AND a.record_id = u.id AND a.name = 'uploaded_avatar'
  LEFT JOIN active_storage_blobs b ON b.id = a.blob_id
 WHERE u.id = ANY(:ids::bigint[])
