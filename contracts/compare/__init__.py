# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whether an answer says what the recording says, by the corpus' rules.

    recording → Expectation (facts, rules; made once) → differences(answer): list of Difference

Facts first: the body of an answer is read into the notation of the recording (`contracts.notation`), its headers
into the recorded selection, its cookies into names and attributes. Then the one diff engine
(`proxy.experiment.diff`) lays recorded and actual facts side by side, and every deviation is judged by what the
recording allows at its place (`allowance`):

- *noise* must be there and of the same type;
- *unordered* arrays, and arrays of side-loaded records, are matched by `id`, else as multisets;
- a `$text` asks for a non-empty string that holds the texts of `contains`;
- numbers are equal as numbers; digests and lengths of the original wording are not compared;
- a recorded status 500 is a bug: any 4xx or 5xx in the application's error form is as good;
- cookies that come with every answer (`APART_COOKIES`) are not compared.

An empty list means: the same in meaning. Ask for answers without `Accept-Encoding`, as the recorder did.
"""

from __future__ import annotations

from contracts.compare.answer import APART_COOKIES, Answer
from contracts.compare.expectation import Expectation, differences
from proxy.experiment.outcome import Difference, Kind

__all__ = ["APART_COOKIES", "Answer", "Difference", "Expectation", "Kind", "differences"]
