-- SPDX-License-Identifier: AGPL-3.0-or-later
-- wrk's part: sends the requests of a file (NUL between them) one after the other, and prints what came of it.
--   wrk … -s rotate.lua URL -- FILE FIRST
local heads, at = {}, 0

function init(args)
  local file = assert(io.open(args[1], "rb"))
  local text = file:read("*a")
  file:close()
  for head in text:gmatch("([^%z]+)") do heads[#heads + 1] = head end
  at = tonumber(args[2]) % #heads
end

function request()
  at = at % #heads + 1
  return heads[at]
end

function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    '\n{"requests": %d, "seconds": %.6f, "bytes": %d, "connect": %d, "read": %d, "write": %d, "status": %d, "timeout": %d}\n',
    summary.requests, summary.duration / 1e6, summary.bytes, e.connect, e.read, e.write, e.status, e.timeout))
end
