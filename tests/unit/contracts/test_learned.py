# SPDX-License-Identifier: AGPL-3.0-or-later
"""What recordings teach, and what it says about a finding."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from contracts.corpus import Corpus, CorpusError
from contracts.learned import OWN, learn, learned_from, source_of, written
from proxy.experiment.evidence import Dimension, Found
from proxy.experiment.outcome import Kind
from tests.evidence import a_finding, a_pair, mismatch, tallied
from tests.unit.contracts.corpora import read_case, write_corpus


def found_of(field: str, kind: Kind, candidate: Any, control: Any = "x") -> Found:
    finding = a_finding(field, control, candidate, kind=kind)
    (found,) = tallied((a_pair("tags#index"), mismatch(finding))).findings
    return found


def recorded(folder: Path, *answers: tuple[str, Any]) -> Corpus:
    """A corpus of so many answers: (endpoint, body)."""
    cases = [
        read_case(f"/things/{number}", body, endpoint=name) for number, (name, body) in enumerate(answers)
    ]
    return Corpus.open(write_corpus(folder, cases))


ROWS = [{"id": number, "color": ("red", "blue")[number % 2], "at": None} for number in range(40)]


@pytest.mark.parametrize(
    ("field", "kind", "candidate", "said"),
    [
        ("/body/tags/*/id", Kind.TYPE, None, "never null in 40 samples"),
        ("/body/tags/*/id", Kind.TYPE, "7", "always a number in 40 samples"),
        ("/body/tags/*/id", Kind.MISSING, None, "never absent in 40 samples"),
        ("/body/tags/*/color", Kind.VALUE, "green", "always one of blue, red in 40 samples"),
        ("/body/tags/*/color", Kind.VALUE, "blue", ""),
        ("/body/tags/*/color", Kind.VALUE, "What somebody wrote, which is not kept.", ""),
        ("/body/tags/*/nobody_knows_me", Kind.EXTRA, 1, "never there in 40 samples"),
        ("/body/tags/*", Kind.MISSING, None, ""),
        ("/body/tags", Kind.ORDER, None, ""),
        ("/status", Kind.STATUS, 404, ""),
    ],
)
def test_recorded_answers_explain_a_finding(
    tmp_path: Path, field: str, kind: Kind, candidate: Any, said: str
) -> None:
    corpus = recorded(tmp_path, *(("tags#index", {"tags": [row]}) for row in ROWS))
    assert learn(corpus.reads()).explanations()(found_of(field, kind, candidate)) == said


def test_where_nothing_was_recorded_nothing_is_said() -> None:
    assert learn([]).explanations()(found_of("/body/a", Kind.EXTRA, 1)) == ""


def test_what_was_learned_is_kept_and_read_again(tmp_path: Path) -> None:
    corpus = recorded(tmp_path / "corpus", ("tags#index", {"a": 1}))
    kept = tmp_path / "learned.json.gz"
    everything = learn(corpus.reads(), source_of(corpus))
    kept.write_bytes(written(everything))
    assert learned_from(corpus, (), kept) == everything
    assert everything.recorded["tags#index"][Dimension.STATUS] == {"200"}
    # Other recordings are learned from anew, and only as far as they are asked about.
    other = recorded(tmp_path / "other", ("tags#index", {}), ("polls#index", {"b": 1}))
    anew = learned_from(other, {"polls#index"}, kept)
    assert list(anew.shapes) == ["polls#index"]
    assert set(anew.recorded) == {"tags#index", "polls#index"}
    kept.write_bytes(b"nothing")
    assert learned_from(other, {"polls#index"}, kept) == anew


def test_what_is_shipped_is_what_our_recordings_teach() -> None:
    corpus = Corpus.open()
    anew = written(learn(corpus.reads(), source_of(corpus)))
    assert gzip.decompress(OWN.read_bytes()) == gzip.decompress(anew), (
        f"banyan contracts infer --format learned --output {OWN}"
    )


def test_recordings_that_are_not_there_are_missed(tmp_path: Path) -> None:
    with pytest.raises(CorpusError):
        learned_from(Corpus(tmp_path), ())
