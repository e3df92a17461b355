# SPDX-License-Identifier: AGPL-3.0-or-later
"""The store's SQL. Every writing statement takes its rows as arrays, sorted by key: two writers never hold what the
other waits for. Times travel as seconds since 1970."""

from __future__ import annotations

BEGIN_BATCH = """
INSERT INTO banyan.shadow_batches (id) VALUES ($1) ON CONFLICT DO NOTHING RETURNING true
"""

# Locks the row even where it is fresh, so that expiry can't take it away under the counts. Times are full hours.
WRITE_SERIES = """
INSERT INTO banyan.shadow_series AS s (id, route, "group", served, build, role, outcome, why, last_seen, times)
SELECT id, route, "group", served, build, role, outcome, why, to_timestamp(at), times
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
  $9::float8[], $10::bigint[]) AS new (id, route, "group", served, build, role, outcome, why, at, times)
ORDER BY id
ON CONFLICT (id) DO UPDATE SET
  last_seen = greatest(s.last_seen, excluded.last_seen), times = s.times + excluded.times
"""

WRITE_COUNTS = """
INSERT INTO banyan.shadow_counts AS c (series, hour, times)
SELECT series, to_timestamp(hour), times
FROM unnest($1::bigint[], $2::float8[], $3::bigint[]) AS new (series, hour, times)
ORDER BY series, hour
ON CONFLICT (series, hour) DO UPDATE SET times = c.times + excluded.times
"""

# Answers the fingerprints that are kept: those known, and new ones while their route has room.
WRITE_FINDINGS = """
INSERT INTO banyan.shadow_findings AS f (fingerprint, route, "group", field, kind, severity, first_seen, last_seen)
SELECT fingerprint, route, "group", field, kind, severity, to_timestamp(first_seen), to_timestamp(last_seen)
FROM (
  SELECT new.*, known.fingerprint IS NOT NULL AS known,
    row_number() OVER (PARTITION BY new.route, known.fingerprint IS NOT NULL ORDER BY new.fingerprint) AS place
  FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::float8[], $8::float8[])
    AS new (fingerprint, route, "group", field, kind, severity, first_seen, last_seen)
  LEFT JOIN banyan.shadow_findings AS known USING (fingerprint)
) AS new
WHERE known OR place + (SELECT count(*) FROM banyan.shadow_findings AS kept WHERE kept.route = new.route) <= $9
ORDER BY fingerprint
ON CONFLICT (fingerprint) DO UPDATE SET
  severity = CASE WHEN 'ERR' IN (f.severity, excluded.severity) THEN 'ERR'
    WHEN 'WARN' IN (f.severity, excluded.severity) THEN 'WARN' ELSE 'INFO' END,
  "group" = excluded."group",
  first_seen = least(f.first_seen, excluded.first_seen),
  last_seen = greatest(f.last_seen, excluded.last_seen)
RETURNING fingerprint
"""

WRITE_SIGHTINGS = """
INSERT INTO banyan.shadow_sightings AS s (fingerprint, build, hour, times)
SELECT fingerprint, build, to_timestamp(hour), times
FROM unnest($1::text[], $2::text[], $3::float8[], $4::bigint[]) AS new (fingerprint, build, hour, times)
ORDER BY fingerprint, build, hour
ON CONFLICT (fingerprint, build, hour) DO UPDATE SET times = s.times + excluded.times
"""

SAMPLE_PLACES = """
SELECT fingerprint, slot, extract(epoch FROM at)::float8 AS at FROM banyan.shadow_samples
WHERE fingerprint = ANY($1::text[])
"""

WRITE_SAMPLES = """
INSERT INTO banyan.shadow_samples (fingerprint, slot, at, sample)
SELECT fingerprint, slot, to_timestamp(at), sample
FROM unnest($1::text[], $2::smallint[], $3::float8[], $4::text[]) AS new (fingerprint, slot, at, sample)
ORDER BY fingerprint, slot
ON CONFLICT (fingerprint, slot) DO UPDATE SET at = excluded.at, sample = excluded.sample
"""

WRITE_COVERAGE = """
INSERT INTO banyan.shadow_coverage AS c (route, dimension, value, first_seen, last_seen, times)
SELECT route, dimension, value, to_timestamp(first_seen), to_timestamp(last_seen), times
FROM unnest($1::text[], $2::text[], $3::text[], $4::float8[], $5::float8[], $6::bigint[])
  AS new (route, dimension, value, first_seen, last_seen, times)
ORDER BY route, dimension, value
ON CONFLICT (route, dimension, value) DO UPDATE SET
  times = c.times + excluded.times,
  first_seen = least(c.first_seen, excluded.first_seen),
  last_seen = greatest(c.last_seen, excluded.last_seen)
"""

# Each edge learns by itself, from the beginning; whoever has seen most knows best.
WRITE_NOISE = """
INSERT INTO banyan.shadow_noise AS n
  (route, field, kind, sort, pairs, differed, raw_pairs, raw_differed, confidence, last_seen)
SELECT route, field, kind, sort, pairs, differed, raw_pairs, raw_differed, confidence, to_timestamp(last_seen)
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[],
  $9::float8[], $10::float8[])
  AS new (route, field, kind, sort, pairs, differed, raw_pairs, raw_differed, confidence, last_seen)
ORDER BY route, field, kind, sort
ON CONFLICT (route, field, kind, sort) DO UPDATE SET
  pairs = excluded.pairs, differed = excluded.differed,
  raw_pairs = excluded.raw_pairs, raw_differed = excluded.raw_differed,
  confidence = excluded.confidence, last_seen = greatest(n.last_seen, excluded.last_seen)
WHERE excluded.pairs >= n.pairs
"""

WRITE_LOST = """
INSERT INTO banyan.shadow_lost AS l (route, what, times, last_seen)
SELECT route, what, times, to_timestamp(last_seen)
FROM unnest($1::text[], $2::text[], $3::bigint[], $4::float8[]) AS new (route, what, times, last_seen)
ORDER BY route, what
ON CONFLICT (route, what) DO UPDATE SET
  times = l.times + excluded.times, last_seen = greatest(l.last_seen, excluded.last_seen)
"""

# Reading. Unless it says otherwise $1 is a pattern for LIKE or null, $2 a group or null, $3 a time (seconds) or null,
# $4 a build or null. Builds are summed up: what is asked for by build has one anyway.
_READ_COUNTS = """
SELECT s.route, s."group", s.served, coalesce($3, '') AS build, s.role, s.outcome, s.why,
  extract(epoch FROM min({hour}))::bigint AS hour, sum({times})::bigint AS times
FROM {of}
WHERE ($1::text IS NULL OR s.route LIKE $1) AND ($2::text IS NULL OR s."group" = $2)
  AND ($3::text IS NULL OR s.build = $3)
GROUP BY s.route, s."group", s.served, s.role, s.outcome, s.why
ORDER BY s.route, times DESC
"""

# Compiling these queries takes longer than running them. For one transaction: poolers refuse it as a setting.
WITHOUT_JIT = "SET LOCAL jit = off"

READ_TOTALS = _READ_COUNTS.format(hour="s.last_seen", times="s.times", of="banyan.shadow_series AS s")
"""Of all that is kept; $3 is the build."""

READ_COUNTS = _READ_COUNTS.format(
    hour="c.hour",
    times="c.times",
    of="""(
  SELECT series, min(hour) AS hour, sum(times) AS times FROM banyan.shadow_counts
  WHERE hour >= date_trunc('hour', to_timestamp($4::float8), 'UTC')
  GROUP BY series
) AS c JOIN banyan.shadow_series AS s ON s.id = c.series""",
)
"""Since a time; $3 is the build, $4 the time."""

READ_FINDINGS = """
SELECT f.fingerprint, f.route, f."group", f.field, f.kind, f.severity,
  extract(epoch FROM f.first_seen)::float8 AS first_seen, extract(epoch FROM f.last_seen)::float8 AS last_seen,
  s.builds, s.hours, s.times, count(*) OVER () AS there_are
FROM banyan.shadow_findings AS f
JOIN (
  SELECT fingerprint, array_agg(build) AS builds, array_agg(hour) AS hours, array_agg(times) AS times,
    sum(times) AS total
  FROM (
    SELECT fingerprint, build, extract(epoch FROM min(hour))::bigint AS hour, sum(times)::bigint AS times
    FROM banyan.shadow_sightings
    WHERE ($3::float8 IS NULL OR hour >= date_trunc('hour', to_timestamp($3), 'UTC'))
      AND ($4::text IS NULL OR build = $4)
    GROUP BY fingerprint, build
  ) AS by_build GROUP BY fingerprint
) AS s USING (fingerprint)
WHERE ($1::text IS NULL OR f.route LIKE $1) AND ($2::text IS NULL OR f."group" = $2)
  AND ($3::float8 IS NULL OR f.last_seen >= to_timestamp($3))
ORDER BY array_position(ARRAY['ERR', 'WARN', 'INFO'], f.severity), s.total DESC, f.fingerprint
LIMIT $5
"""

READ_SAMPLES = """
SELECT fingerprint, sample FROM banyan.shadow_samples WHERE fingerprint = ANY($1::text[]) ORDER BY fingerprint, at
"""

READ_COVERAGE = """
SELECT route, dimension, value, extract(epoch FROM first_seen)::float8 AS first_seen,
  extract(epoch FROM last_seen)::float8 AS last_seen, times
FROM banyan.shadow_coverage
WHERE ($1::text IS NULL OR route LIKE $1) AND ($2::float8 IS NULL OR last_seen >= to_timestamp($2))
ORDER BY route, dimension, value
"""

READ_NOISE = """
SELECT route, field, kind, sort, pairs, differed, raw_pairs, raw_differed, confidence,
  extract(epoch FROM last_seen)::float8 AS last_seen
FROM banyan.shadow_noise
WHERE ($1::text IS NULL OR route LIKE $1) AND ($2::float8 IS NULL OR last_seen >= to_timestamp($2))
ORDER BY route, field, kind, sort
"""

READ_LOST = """
SELECT route, what, times, extract(epoch FROM last_seen)::float8 AS last_seen FROM banyan.shadow_lost
WHERE ($1::text IS NULL OR route LIKE $1 OR route = '') AND ($2::float8 IS NULL OR last_seen >= to_timestamp($2))
ORDER BY route, what
"""

READ_APPROVALS = """
SELECT fingerprint, by, reason, extract(epoch FROM at)::float8 AS at, extract(epoch FROM until)::float8 AS until
FROM banyan.shadow_approvals ORDER BY at, fingerprint
"""

APPROVE = """
INSERT INTO banyan.shadow_approvals (fingerprint, by, reason, at, until)
VALUES ($1, $2, $3, to_timestamp($4::float8), to_timestamp($5::float8))
ON CONFLICT (fingerprint) DO UPDATE SET
  by = excluded.by, reason = excluded.reason, at = excluded.at, until = excluded.until
"""

REVOKE = "DELETE FROM banyan.shadow_approvals WHERE fingerprint = $1 RETURNING true"

# One edge cleans up at a time; the others go on with their work.
EXPIRY_LOCK = "SELECT pg_try_advisory_xact_lock(7065218904417234)"


def _expire(table: str, stale: str) -> str:
    """Deletes at most $2 rows of `table` that are stale at $1 (seconds), and that nobody holds."""
    return f"""
    WITH gone AS (
      DELETE FROM banyan.{table} WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM banyan.{table} AS t WHERE {stale} LIMIT $2 FOR UPDATE SKIP LOCKED))
      RETURNING 1
    ) SELECT count(*) FROM gone
    """


_PAST = "{} < to_timestamp($1::float8)"

EXPIRE_SAMPLES = {"shadow_samples": _expire("shadow_samples", _PAST.format("at"))}
"""By the time to keep samples."""

# Takes hours only with their series, so that the sum goes down with them; a series that a writer holds waits.
_EXPIRE_HOURS = """
WITH stale AS MATERIALIZED (
  SELECT series, hour FROM banyan.shadow_counts
  WHERE hour < to_timestamp($1::float8) LIMIT $2 FOR UPDATE SKIP LOCKED
), free AS MATERIALIZED (
  SELECT id FROM banyan.shadow_series WHERE id = ANY(ARRAY(SELECT series FROM stale)) FOR UPDATE SKIP LOCKED
), gone AS (
  DELETE FROM banyan.shadow_counts AS c USING stale, free
  WHERE c.series = stale.series AND c.hour = stale.hour AND c.series = free.id RETURNING c.series, c.times
), lowered AS (
  UPDATE banyan.shadow_series AS s SET times = s.times - g.times
  FROM (SELECT series, sum(times) AS times FROM gone GROUP BY series) AS g WHERE s.id = g.series
) SELECT count(*) FROM gone
"""

EXPIRE_COUNTS = {
    "shadow_counts": _EXPIRE_HOURS,
    "shadow_sightings": _expire("shadow_sightings", _PAST.format("hour")),
    "shadow_series": _expire("shadow_series", _PAST.format("last_seen")),
    "shadow_findings": _expire("shadow_findings", _PAST.format("last_seen")),
    "shadow_coverage": _expire("shadow_coverage", _PAST.format("last_seen")),
    "shadow_noise": _expire("shadow_noise", _PAST.format("last_seen")),
    "shadow_lost": _expire("shadow_lost", _PAST.format("last_seen")),
}
"""By the time to keep counts."""

EXPIRE_BATCHES = {"shadow_batches": _expire("shadow_batches", _PAST.format("written_at"))}
"""By the time for which a batch may be sent again."""

EXPIRE_QUERIES = """
WITH gone AS (
  DELETE FROM banyan.shadow_coverage WHERE ctid = ANY(ARRAY(
    SELECT c.ctid FROM banyan.shadow_coverage AS c JOIN (
      SELECT route, value, row_number() OVER (PARTITION BY route ORDER BY last_seen DESC, value) AS place
      FROM banyan.shadow_coverage WHERE dimension = 'query'
    ) AS aged USING (route, value)
    WHERE c.dimension = 'query' AND aged.place > $1 LIMIT $2 FOR UPDATE OF c SKIP LOCKED))
  RETURNING 1
) SELECT count(*) FROM gone
"""
