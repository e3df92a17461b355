-- SPDX-License-Identifier: AGPL-3.0-or-later
-- The rollout's journal: who or what changed which share, when, why, on which evidence. Append only. See docs/rollout.md.

CREATE TABLE rollout_journal (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at timestamptz NOT NULL,
  unit text NOT NULL,
  event text NOT NULL,
  by text NOT NULL,
  reason text NOT NULL,
  share_from numeric(5, 2) NOT NULL,
  share_to numeric(5, 2) NOT NULL,
  build text NOT NULL,
  replica text NOT NULL,
  -- What followed, as all replicas keep it; none for a proof or a freeze.
  state jsonb,
  -- The gates' verdicts that it rests on.
  evidence jsonb NOT NULL,
  -- A run of `contracts verify-writes` or `replay`.
  proof jsonb
);
CREATE INDEX rollout_journal_unit ON rollout_journal (unit, id DESC);
