// A WebSocket server on ws (npm), as people have it, but for one thing: it listens on the socket that it was started with.
// usage: LISTEN_FDS=1 NODE_PATH=/usr/share/nodejs node ws-server.js
"use strict";
const http = require("http");
const { WebSocketServer } = require("ws");

const server = http.createServer((request, response) => response.end(`pid ${process.pid}\n`));
const sockets = new WebSocketServer({ server });
sockets.on("connection", (socket) => {
  socket.send(JSON.stringify({ pid: process.pid, listenPid: process.env.LISTEN_PID }));
  socket.on("message", (text) => socket.send(String(text)));
});
server.listen({ fd: 3 }, () => console.log("listening"));

process.on("SIGTERM", () => {
  server.close(() => process.exit(0));
  for (const socket of sockets.clients) socket.close(1012);
});
