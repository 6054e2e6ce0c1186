// An application as teams have it: Express pages and /api/v1, a WebSocket of its own (ws), server-sent events, uploads.
// usage: NODE_PATH=/usr/share/nodejs node shop.js PORT|SOCKET-FILE
"use strict";
const crypto = require("crypto");
const http = require("http");
const express = require("express");
const { WebSocketServer } = require("ws");

const app = express();
app.set("trust proxy", true);
app.use((request, response, next) => {
  response.set("X-Application", "shop");
  next();
});

app.get("/", (request, response) => {
  // The application's page uses wsd's library from the same origin.
  response.send('<!doctype html><title>Shop</title><script src="/wsd/client.js"></script><h1>Shop</h1>');
});

// What the application knows of the client.
app.all("/api/v1/request", express.text({ type: () => true, limit: "10mb" }), (request, response) => {
  response.json({
    method: request.method, url: request.originalUrl, headers: request.headers, rawHeaders: request.rawHeaders,
    ip: request.ip, ips: request.ips, protocol: request.protocol, hostname: request.hostname,
    body: typeof request.body === "string" ? request.body : "", trailers: request.trailers, pid: process.pid,
  });
});

app.get("/api/v1/status/:code", (request, response) => response.status(Number(request.params.code)).end());
app.get("/api/v1/slow/:ms", (request, response) => setTimeout(() => response.send("late\n"), Number(request.params.ms)));
app.get("/api/v1/pid", (request, response) => response.send(String(process.pid)));

// Bytes that repeat, as many as asked for; without a length, so that they come in chunks.
app.get("/api/v1/bytes/:count", (request, response) => {
  const piece = Buffer.alloc(65536, "0123456789abcdef");
  let left = Number(request.params.count);
  const more = () => {
    while (left > 0) {
      const size = Math.min(left, piece.length);
      left -= size;
      if (!response.write(piece.subarray(0, size))) return response.once("drain", more);
    }
    response.end();
  };
  more();
});

// Reads at the pace that is asked for, bytes a second; answers with what it has read.
app.post("/api/v1/upload", (request, response) => {
  const hash = crypto.createHash("sha256");
  const rate = Number(request.query.rate || 0);
  let count = 0;
  request.on("data", (piece) => {
    hash.update(piece);
    count += piece.length;
    if (rate > 0) {
      request.pause();
      setTimeout(() => request.resume(), (piece.length / rate) * 1000);
    }
  });
  request.on("end", () => response.json({ count, sha256: hash.digest("hex") }));
});

// Answers without reading what is sent.
app.post("/api/v1/refuse", (request, response) => response.status(403).send("no\n"));

let streams = 0;
app.get("/api/v1/streams", (request, response) => response.json({ streams }));
app.get("/api/v1/events", (request, response) => {
  response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-cache" });
  streams += 1;
  let number = 0;
  const send = () => response.write(`data: ${(number += 1)}\n\n`);
  send();
  const timer = setInterval(send, Number(request.query.every || 100));
  response.on("close", () => {
    clearInterval(timer);
    streams -= 1;
  });
});

app.get("/api/v1/trailers", (request, response) => {
  response.writeHead(200, { "Content-Type": "text/plain", Trailer: "X-Checksum" });
  response.write("body\n");
  response.addTrailers({ "X-Checksum": "abc" });
  response.end();
});

const server = http.createServer(app);
server.on("checkContinue", (request, response) => {
  if (request.headers["x-refuse"]) return response.writeHead(417).end();
  response.writeContinue();
  app(request, response);
});

// The application's own WebSocket: what comes goes back, and one word has it send much.
const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: true });
server.on("upgrade", (request, socket, head) => {
  if (new URL(request.url, "http://x").pathname !== "/live") {
    socket.end("HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\nX-Application: shop\r\n\r\nno socket");
    return;
  }
  sockets.handleUpgrade(request, socket, head, (webSocket) => {
    webSocket.send(JSON.stringify({ hello: request.headers["x-forwarded-for"], url: request.url }));
    webSocket.on("message", (data, isBinary) => {
      if (!isBinary && data.toString().startsWith("send ")) {
        const [, count, size] = data.toString().split(" ").map(Number);
        for (let index = 0; index < count; index += 1) webSocket.send(Buffer.alloc(size, "x"));
        return;
      }
      webSocket.send(data, { binary: isBinary });
    });
  });
});

const place = process.argv[2];
server.listen(/^\d+$/.test(place) ? { port: Number(place), host: "127.0.0.1" } : { path: place }, () => {
  const address = server.address();
  console.log(`listening ${typeof address === "string" ? address : address.port}`);
});
process.on("SIGTERM", () => {
  server.close(() => process.exit(0));
  server.closeIdleConnections();
  setTimeout(() => process.exit(0), 1000).unref();
});
