// A proxy in front of the web UI that counts open streams and can cut connections, as a bad network does.
//
// It passes everything on unchanged, including the Host header. Each request has its own connection to the server, so the
// server's connections are the requests in progress.

import http from "node:http";

export async function proxyTo(origin) {
  const target = new URL(origin);
  const streams = new Map(); // the path of each open stream, by its request
  const paths = []; // of all requests so far
  let isDown = false;
  const server = http.createServer((request, response) => {
    paths.push(request.url);
    const isStream = new URL(request.url, origin).pathname.endsWith("/live");
    if (isStream) streams.set(request, request.url);
    const options = {
      host: target.hostname,
      port: target.port,
      method: request.method,
      path: request.url,
      headers: request.headers,
      agent: false,
    };
    const upstream = http.request(options, (answer) => {
      response.writeHead(answer.statusCode, endToEnd(answer.rawHeaders));
      response.flushHeaders();
      answer.pipe(response);
      answer.on("error", () => response.destroy());
    });
    upstream.on("error", () => response.destroy());
    response.on("close", () => {
      streams.delete(request);
      upstream.destroy();
    });
    request.pipe(upstream);
  });
  server.on("connection", (socket) => {
    if (isDown) socket.destroy();
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    /** The paths of the open streams. */
    streams: () => [...streams.values()],
    /** The paths of all requests so far. */
    paths: () => paths,
    /** Cuts all connections, and refuses new ones until `up` is called. */
    down: () => {
      isDown = true;
      server.closeAllConnections();
    },
    up: () => (isDown = false),
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** The headers that are not about one connection. */
function endToEnd(raw) {
  const kept = [];
  for (let at = 0; at < raw.length; at += 2) {
    if (!/^(connection|keep-alive|transfer-encoding)$/i.test(raw[at])) kept.push(raw[at], raw[at + 1]);
  }
  return kept;
}
