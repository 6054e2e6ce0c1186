import HTTPTypes
import Hummingbird
import Model

/// The developer's test page: connects, joins rooms, sends and shows messages. The whole of it is one document.
enum TestPage {
    /// A page with a nonce of its own for its style and script, which are all that it may load.
    static func response(for configuration: WsdConfiguration) -> Response {
        var generator = SystemRandomNumberGenerator()
        let nonce = String(generator.next(), radix: 36) + String(generator.next(), radix: 36)
        let base = configuration.http.publicURL.map { $0.hasSuffix("/") ? String($0.dropLast()) : $0 } ?? ""
        let url = base + ClientSettings.path(configuration.websocket.paths)
        let text = html(url: escaped(url), nonce: nonce)
        let policy =
            "default-src 'none'; script-src 'nonce-\(nonce)'; style-src 'nonce-\(nonce)'; "
            + "connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        let fields: HTTPFields = [.contentSecurityPolicy: policy]
        return .document(text, type: "text/html; charset=utf-8", fields: fields)
    }

    private static func escaped(_ text: String) -> String {
        text.reduce(into: "") { out, character in
            switch character {
            case "&": out += "&amp;"
            case "<": out += "&lt;"
            case ">": out += "&gt;"
            case "\"": out += "&quot;"
            default: out.append(character)
            }
        }
    }

    private static func html(url: String, nonce: String) -> String {
        """
        <!doctype html>
        <html lang="en">
        <meta charset="utf-8">
        <meta name="referrer" content="no-referrer">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>wsd test page</title>
        <style nonce="\(nonce)">
        :root { color-scheme: light dark; font: 15px/1.45 system-ui, sans-serif; }
        body { max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
        h1 { font-size: 1.3rem; }
        form { display: flex; gap: .5rem; margin: .5rem 0; }
        label { flex: 1; display: flex; gap: .5rem; align-items: center; }
        input { flex: 1; min-width: 4rem; font: inherit; padding: .3rem .5rem; }
        button { font: inherit; padding: .3rem .8rem; }
        #state { font-weight: 600; }
        #state.open { color: #18794e; }
        #state.closed { color: #c62a2f; }
        #log { border: 1px solid #8886; border-radius: 6px; height: 22rem; overflow-y: auto; padding: .5rem;
               font: 13px/1.5 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
        .sent { opacity: .65; }
        .note { font-style: italic; }
        </style>
        <h1>wsd test page</h1>
        <p><span id="state" role="status">not connected</span> <button id="connect" type="button">Connect</button></p>
        <form id="room"><label>Room <input id="roomName" value="lobby" required></label>
          <button name="join">Join</button><button name="leave">Leave</button></form>
        <form id="message"><label>To the room <input id="text" placeholder="text or JSON" required></label>
          <button name="send">Send</button><button name="broadcast">To everybody</button></form>
        <div id="log" role="log" aria-live="polite" data-url="\(url)"></div>
        <script nonce="\(nonce)">
        "use strict";
        const byId = (id) => document.getElementById(id);
        const state = byId("state"), log = byId("log"), button = byId("connect");
        const maxLines = 500;
        let socket = null, nextRequest = 1;

        function address() {
          const given = log.dataset.url;
          if (!given.startsWith("/")) return given.replace(/^http/, "ws");
          return (location.protocol === "https:" ? "wss://" : "ws://") + location.host + given;
        }
        function note(text, kind) {
          const line = document.createElement("div");
          line.className = kind;
          line.textContent = new Date().toLocaleTimeString() + "  " + text;
          const atEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 4;
          log.append(line);
          while (log.childElementCount > maxLines) log.firstElementChild.remove();
          if (atEnd) log.scrollTop = log.scrollHeight;
        }
        function show(text, kind) {
          state.textContent = text;
          state.className = kind;
          button.textContent = kind === "open" ? "Disconnect" : "Connect";
        }
        function connect() {
          show("connecting to " + address(), "");
          const mine = socket = new WebSocket(address());
          mine.onopen = () => show("connected to " + mine.url, "open");
          mine.onmessage = (event) => note("← " + event.data, "received");
          mine.onclose = (event) => {
            if (mine !== socket) return;
            socket = null;
            const reason = event.reason ? " (" + event.reason + ")" : "";
            show("closed, code " + event.code + reason, "closed");
            note("closed with code " + event.code + reason, "note");
          };
        }
        function send(message) {
          if (!socket || socket.readyState !== WebSocket.OPEN) return note("not connected", "note");
          const text = JSON.stringify({ ...message, requestId: nextRequest++ });
          socket.send(text);
          note("→ " + text, "sent");
        }
        function typed() {
          const text = byId("text").value;
          try { return JSON.parse(text); } catch { return text; }
        }
        button.onclick = () => socket ? socket.close(1000) : connect();
        byId("room").onsubmit = (event) => {
          event.preventDefault();
          const leave = event.submitter && event.submitter.name === "leave";
          send({ type: leave ? "leaveRoom" : "joinRoom", roomId: byId("roomName").value });
        };
        byId("message").onsubmit = (event) => {
          event.preventDefault();
          const all = event.submitter && event.submitter.name === "broadcast";
          send(all ? { type: "broadcast", data: typed() }
                   : { type: "sendToRoom", roomId: byId("roomName").value, data: typed() });
          byId("text").select();
        };
        connect();
        </script>
        </html>

        """
    }
}
