-- SPDX-License-Identifier: AGPL-3.0-or-later
-- What a series comes to over all hours that are kept: a report on everything need not add the hours up.

ALTER TABLE shadow_series ADD COLUMN times bigint NOT NULL DEFAULT 0;
UPDATE shadow_series AS s SET times = c.times
FROM (SELECT series, sum(times) AS times FROM shadow_counts GROUP BY series) AS c WHERE c.series = s.id;
