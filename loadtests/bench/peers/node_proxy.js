// SPDX-License-Identifier: AGPL-3.0-or-later
// An ordinary proxy in Node: http-proxy with a keep-alive agent and a JSON line for each request.
//   NODE_PATH=…/node_modules node node_proxy.js PORT LEGACY_PORT PYTHON_PORT LOG
'use strict';
const fs = require('fs');
const http = require('http');
const httpProxy = require('http-proxy');

const [port, legacy, python, log] = process.argv.slice(2);
const targets = [legacy, python].map((backend) => `http://127.0.0.1:${backend}`);
const lines = fs.createWriteStream(log, { flags: 'a' });
const agent = new http.Agent({ keepAlive: true, maxSockets: Infinity, maxFreeSockets: 256 });
const proxy = httpProxy.createProxyServer({ agent, xfwd: true, ws: true });
let turn = 0;

proxy.on('error', (error, request, response) => {
  if (response && response.writeHead && !response.headersSent) response.writeHead(502);
  if (response) response.end();
});

const server = http.createServer((request, response) => {
  const started = process.hrtime.bigint();
  response.on('finish', () => {
    const ms = Number(process.hrtime.bigint() - started) / 1e6;
    lines.write(`${JSON.stringify({
      time: new Date().toISOString(), event: 'request', method: request.method, uri: request.url,
      status: response.statusCode, ms,
    })}\n`);
  });
  proxy.web(request, response, { target: targets[turn++ % 2] });
});
server.on('upgrade', (request, socket, head) => proxy.ws(request, socket, head, { target: targets[turn++ % 2] }));
server.keepAliveTimeout = 120000;
server.listen({ port: Number(port), host: '127.0.0.1', backlog: 4096 });
