-- SPDX-License-Identifier: AGPL-3.0-or-later
-- The diff store: what comparing the two sides has shown. Sums, few samples, nothing secret. See docs/reports.md.

-- A batch that was written is not counted again when its writer did not hear so.
CREATE TABLE shadow_batches (
  id uuid PRIMARY KEY,
  written_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX shadow_batches_written_at ON shadow_batches (written_at);

-- What comparisons are counted by. The id is made of the rest, so that every writer knows it without asking.
CREATE TABLE shadow_series (
  id bigint PRIMARY KEY,
  route text NOT NULL,
  "group" text NOT NULL,
  served text NOT NULL,
  build text NOT NULL,
  role text NOT NULL,
  outcome text NOT NULL,
  why text NOT NULL,
  last_seen timestamptz NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX shadow_series_last_seen ON shadow_series (last_seen);

CREATE TABLE shadow_counts (
  series bigint NOT NULL REFERENCES shadow_series ON DELETE CASCADE,
  hour timestamptz NOT NULL,
  times bigint NOT NULL,
  PRIMARY KEY (series, hour)
) WITH (fillfactor = 80);
CREATE INDEX shadow_counts_hour ON shadow_counts USING brin (hour);

CREATE TABLE shadow_findings (
  fingerprint text PRIMARY KEY,
  route text NOT NULL,
  "group" text NOT NULL,
  field text NOT NULL,
  kind text NOT NULL,
  severity text NOT NULL,
  first_seen timestamptz NOT NULL,
  last_seen timestamptz NOT NULL
) WITH (fillfactor = 60);
CREATE INDEX shadow_findings_route ON shadow_findings (route);

CREATE TABLE shadow_sightings (
  fingerprint text NOT NULL REFERENCES shadow_findings ON DELETE CASCADE,
  build text NOT NULL,
  hour timestamptz NOT NULL,
  times bigint NOT NULL,
  PRIMARY KEY (fingerprint, build, hour)
) WITH (fillfactor = 80);

CREATE TABLE shadow_samples (
  fingerprint text NOT NULL REFERENCES shadow_findings ON DELETE CASCADE,
  slot smallint NOT NULL CHECK (slot BETWEEN 0 AND 4),
  at timestamptz NOT NULL,
  sample text NOT NULL, -- JSON, which may say what PostgreSQL's own types can't hold
  PRIMARY KEY (fingerprint, slot)
);

CREATE TABLE shadow_coverage (
  route text NOT NULL,
  dimension text NOT NULL,
  value text NOT NULL,
  first_seen timestamptz NOT NULL,
  last_seen timestamptz NOT NULL,
  times bigint NOT NULL,
  PRIMARY KEY (route, dimension, value)
) WITH (fillfactor = 60);

CREATE TABLE shadow_noise (
  route text NOT NULL,
  field text NOT NULL,
  kind text NOT NULL,
  sort text NOT NULL,
  pairs bigint NOT NULL,
  differed bigint NOT NULL,
  raw_pairs bigint NOT NULL,
  raw_differed bigint NOT NULL,
  confidence double precision NOT NULL,
  last_seen timestamptz NOT NULL,
  PRIMARY KEY (route, field, kind, sort)
) WITH (fillfactor = 60);

CREATE TABLE shadow_lost (
  route text NOT NULL,
  what text NOT NULL,
  times bigint NOT NULL,
  last_seen timestamptz NOT NULL,
  PRIMARY KEY (route, what)
);

-- Approvals outlive what they approve: a finding that comes back is still approved.
CREATE TABLE shadow_approvals (
  fingerprint text PRIMARY KEY,
  by text NOT NULL,
  reason text NOT NULL CHECK (reason <> ''),
  at timestamptz NOT NULL,
  until timestamptz
);
