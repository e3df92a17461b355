# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the legacy was seen to do, and whether another program does the same.

A *corpus* is a folder of recordings of one Rails application over one data set (see `recordings/*/README.md`
for its files). Everything here reads such a folder and holds nothing that depends on the people, ids or words
in it; the project's own copy is only the default.

The flow:

1. `corpus` reads the folder: cases of `reads.jsonl`, raw *exchanges* of `wire.jsonl`, the *journeys* of real
   browsers, sessions, names, settings, the database dump, stored files.
2. `notation` is the form in which the corpus writes bodies (`$text`, `$html`, `$csv`, `$xml`, `$lines`,
   `$binary`). Each kind can be *rendered* (recorded facts to a stand-in body) and *read* (a real body to
   facts); reading a rendering gives the recorded facts back.
3. `playback` answers over HTTP as the recorded legacy did, and refuses (501) what was never recorded.
4. `compare` tells how an answer differs in meaning from its recording, by the corpus' own rules.
5. `traffic` turns the recordings into requests ready to be sent, and into the pace of real people.
6. `replay` asks any server the recorded reads, `verify` does the recorded writes again, `record` makes new
   recordings; `judge` turns what differs into what an experiment keeps, `report` tells it, and explains it by what
   was `learned` of the recordings.

Vocabulary: a *case* is one recorded read; an *exchange* is one recorded request and answer, byte for byte; an
*actor* is a name of `world.json` or `anonymous`; *noise* is what differed when the recording was repeated.
"""
