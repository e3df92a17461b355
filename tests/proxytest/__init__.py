# SPDX-License-Identifier: AGPL-3.0-or-later
"""A real edge between real sockets, for tests.

`ScriptedBackend` is a side whose every byte the test decides; `RawClient` sends any bytes and reads an answer exactly;
`in_process_edge` runs the data plane in the test's own loop (fast; what most tests need), `EdgeProcess` runs
`banyan edge` as an operator does.
"""
