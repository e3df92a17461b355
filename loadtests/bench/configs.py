# SPDX-License-Identifier: AGPL-3.0-or-later
"""What nginx and HAProxy are told. Tuned as somebody would who wants them fast, within what the edge does too:
keep-alive on both legs, bodies streamed both ways and never spooled to a disk, timeouts, `X-Forwarded-*`, a request id,
and a JSON line for each request.
"""

from __future__ import annotations

import os
import resource
from pathlib import Path
from typing import Final, NamedTuple

from loadtests.bench import workload

_CONNECTIONS: Final = min(12_000, resource.getrlimit(resource.RLIMIT_NOFILE)[1])

_HAPROXY_LINE: Final = (
    '{"time":"%tr","event":"request","request_id":"%ID","method":"%HM","uri":"%HPO","side":"%s","status":%ST,'
    '"ms":%Ta,"first_byte":%Tr,"bytes_in":%U,"bytes_out":%B}'
)


class Ports(NamedTuple):
    """Where the two sides of the origin listen."""

    legacy: int
    python: int


def _nginx(folder: Path, http: str) -> str:
    # Started as root nginx would become nobody, who may not enter our temporary folder.
    user = "user root;" if os.geteuid() == 0 else ""
    temporary = "\n".join(
        f"  {kind}_temp_path {folder}/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return f"""{user}
worker_processes 1;
worker_rlimit_nofile {_CONNECTIONS};
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections {_CONNECTIONS}; }}
http {{
{temporary}
  keepalive_timeout 120s;
  keepalive_requests 1000000000;
  client_max_body_size 0;
  types {{ application/json json; }}
  default_type application/octet-stream;
{http}
}}
"""


def nginx_origin(folder: Path, ports: Ports) -> str:
    """An origin as cheap as nginx can be: short bodies from memory, long ones from a file, head and body in one write.
    17 headers, of which two cookies, the request id and the ETag change with every answer."""
    (folder / "35k.json").write_bytes(workload.body("35k"))
    cookie = "A" * 420  # about as long as a session is, with the 32 digits that follow
    return _nginx(
        folder,
        f"""
  access_log off;
  sendfile off;
  output_buffers 1 64k;
  open_file_cache max=10 inactive=1h;
  etag off;
  max_ranges 0;
  server {{
    listen 127.0.0.1:{ports.legacy} backlog=4096;
    listen 127.0.0.1:{ports.python} backlog=4096;
    root {folder};
    add_header X-Frame-Options SAMEORIGIN;
    add_header X-XSS-Protection "1; mode=block";
    add_header X-Content-Type-Options nosniff;
    add_header X-Download-Options noopen;
    add_header X-Permitted-Cross-Domain-Policies none;
    add_header Referrer-Policy strict-origin-when-cross-origin;
    add_header ETag 'W/"$request_id"';
    add_header Last-Modified "";
    add_header Cache-Control "max-age=0, private, must-revalidate";
    add_header Set-Cookie "csrftoken=$request_id$request_id; path=/";
    add_header Set-Cookie "_loomio={cookie}$request_id; path=/; httponly";
    add_header X-Request-Id $request_id;
    add_header X-Runtime 0.018465;
    default_type application/json;
    if ($arg_size = 2k) {{ return 200 '{workload.body("2k").decode()}'; }}
    location / {{ rewrite ^ /35k.json break; }}
  }}
""",
    )


def nginx_proxy(folder: Path, port: int, origin: Ports) -> str:
    """The reference: a reverse proxy that writes a JSON log, in blocks."""
    return _nginx(
        folder,
        f"""
  log_format requests escape=json '{{"time":"$time_iso8601","event":"request","request_id":"$request_id",'
    '"method":"$request_method","uri":"$uri","side":"$upstream_addr","status":$status,"ms":$request_time,'
    '"first_byte":"$upstream_header_time","bytes_in":$request_length,"bytes_out":$bytes_sent}}';
  access_log {folder}/access.log requests buffer=64k flush=1s;
  upstream rails {{
    server 127.0.0.1:{origin.legacy};
    server 127.0.0.1:{origin.python};
    keepalive 256;
    keepalive_requests 1000000000;
  }}
  map $http_upgrade $connection_upgrade {{
    default upgrade;
    '' '';
  }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass http://rails;
      proxy_http_version 1.1;
      proxy_set_header Host $host;
      proxy_set_header Connection $connection_upgrade;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Request-Id $request_id;
      proxy_request_buffering off;
      client_body_buffer_size 64k;
      proxy_buffer_size 8k;
      proxy_buffers 8 16k;
      proxy_busy_buffers_size 32k;
      proxy_max_temp_file_size 0;
      proxy_connect_timeout 3s;
      proxy_send_timeout 60s;
      proxy_read_timeout 60s;
    }}
  }}
""",
    )


def haproxy(port: int, origin: Ports) -> str:
    """One thread; its log goes to stdout, which the harness has made a file."""
    return f"""
global
  nbthread 1
  maxconn {_CONNECTIONS // 2 - 50}
  log stdout format raw local0 info

defaults
  mode http
  log global
  http-reuse always
  timeout connect 3s
  timeout client 120s
  timeout server 60s
  timeout queue 5s
  timeout http-request 10s
  timeout http-keep-alive 120s
  timeout tunnel 1h
  option forwardfor
  log-format '{_HAPROXY_LINE}'

frontend clients
  bind 127.0.0.1:{port} backlog 4096
  unique-id-format %pid-%rt-%Ts%ms
  unique-id-header X-Request-Id
  http-request set-header X-Forwarded-Proto http
  default_backend rails

backend rails
  balance roundrobin
  server legacy 127.0.0.1:{origin.legacy}
  server python 127.0.0.1:{origin.python}
"""
