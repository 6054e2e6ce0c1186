// As pages do it that know nothing of the library: a bare WebSocket, reconnecting and queueing by their own code.
const seen = (globalThis.seen = { ids: [], data: [], joined: [], left: [], errors: [], closes: [] });
const rooms = new Set();
const queue = [];
const answers = new Map();
let socket;
let number = 0;

globalThis.connect = (url = window.wsConfig.connectionString) => {
  socket = new WebSocket(url);
  socket.onopen = () => {
    for (const roomId of rooms) socket.send(JSON.stringify({ type: "joinRoom", roomId }));
    while (queue.length > 0) socket.send(queue.shift());
  };
  socket.onmessage = (event) => received(JSON.parse(event.data));
  socket.onclose = ({ code }) => {
    seen.closes.push(code);
    setTimeout(connect, 100, url);
  };
};

function received(message) {
  if (answers.has(message.requestId)) return answers.get(message.requestId)(message);
  if (message.type === "connected") seen.ids.push(message.clientId);
  else if (message.type === "userJoined") seen.joined.push(message);
  else if (message.type === "userLeft") seen.left.push(message);
  else if (message.type === "error") seen.errors.push(message);
  else seen.data.push(message);
}

globalThis.send = (message) => {
  const text = JSON.stringify(message);
  if (socket.readyState === WebSocket.OPEN) socket.send(text);
  else queue.push(text);
};
globalThis.ask = (message) => new Promise((resolve) => {
  const requestId = ++number;
  answers.set(requestId, resolve);
  send({ ...message, requestId });
});
globalThis.join = (roomId) => {
  rooms.add(roomId);
  return ask({ type: "joinRoom", roomId });
};
globalThis.isOpen = () => socket?.readyState === WebSocket.OPEN && seen.ids.length > seen.closes.length;
document.title = "Ready";
