import Model

// The keys of what clients meet. Bounds stand also with the fields of WsdConfiguration.

private let kibibyte = 1 << 10
private let mebibyte = 1 << 20
private let gibibyte = 1 << 30

extension ConfigurationSchema {
    static let webSocket = [
        SchemaKey(
            "websocket.paths", list: \.websocket.paths, .urlPath,
            "Paths that accept a WebSocket upgrade."),
        SchemaKey(
            "websocket.maxMessageSize", \.websocket.maxMessageSize, .size(125...64 * mebibyte),
            "Largest message from a client, all its fragments together; above it the client is closed (code 1009)."),
        SchemaKey(
            "websocket.maxFragments", \.websocket.maxFragments, .integer(1...1_048_576),
            "Most fragments of one message; above it the client is closed (code 1008)."),
        SchemaKey(
            "websocket.handshakeTimeout", \.websocket.handshakeTimeout, .duration(.seconds(1) ... .seconds(600)),
            "Time for a complete request head."),
        SchemaKey(
            "websocket.maxHeaderSize", \.websocket.maxHeaderSize, .size(kibibyte...256 * kibibyte),
            "Largest request head; above it the answer is 431."),
        SchemaKey(
            "websocket.pingInterval", \.websocket.pingInterval,
            .duration(.seconds(1) ... .seconds(3600), zero: "never"),
            "A client that is silent this long is pinged. Keep it below the idle timeout of proxies in front."),
        SchemaKey(
            "websocket.pongTimeout", \.websocket.pongTimeout, .duration(.seconds(1) ... .seconds(3600)),
            "A pinged client that stays silent this long is closed (code 4000)."),
        SchemaKey(
            "websocket.outboundQueue", \.websocket.outboundQueue, .size(4 * kibibyte...gibibyte),
            "Bytes that may wait for one client; a client that reads too slowly for it is closed (code 1013). One message of "
                + "the allowed size always fits."),
        SchemaKey(
            "websocket.echo", \.websocket.echo, ValueFormat.boolean.orWord("auto", meaning: "on in dev, off in prod"),
            "The echo endpoint, echo under http.prefix."),
    ]

    static let compression = [
        SchemaKey(
            "websocket.compression.enabled", \.websocket.compression.enabled, .boolean,
            "Compression is agreed to. It costs processor time, and memory for each client that uses it."),
        SchemaKey(
            "websocket.compression.threshold", \.websocket.compression.threshold, .size(0...mebibyte),
            "Smaller messages are sent as they are."),
        SchemaKey(
            "websocket.compression.level", \.websocket.compression.level, .integer(1...9),
            "zlib's level: 1 is fast, 9 is small."),
        SchemaKey(
            "websocket.compression.memoryLevel", \.websocket.compression.memoryLevel, .integer(1...9),
            "zlib's memory level: 1 takes the least memory, 9 the most."),
        SchemaKey(
            "websocket.compression.serverWindowBits", \.websocket.compression.serverWindowBits, .integer(9...15),
            "Largest window for what the server sends, as a power of two: 15 is 32 KiB."),
        SchemaKey(
            "websocket.compression.clientWindowBits", \.websocket.compression.clientWindowBits, .integer(9...15),
            "The same for what clients send; only for clients that can be told."),
        SchemaKey(
            "websocket.compression.serverContextTakeover", \.websocket.compression.serverContextTakeover, .boolean,
            "The server keeps its window between messages: they get smaller, but each client costs memory, and each message is "
                + "compressed for each client anew."),
        SchemaKey(
            "websocket.compression.clientContextTakeover", \.websocket.compression.clientContextTakeover, .boolean,
            "Clients may keep their window between messages, which costs memory for each of them."),
    ]

    static let http = [
        SchemaKey(
            "http.prefix", \.http.prefix, .urlPrefix, "Everything of wsd's own lies under it."),
        SchemaKey(
            "http.staticFolder", \.http.staticFolder, ValueFormat.path().orWord("none"),
            "Folder of files that are served for every path that is not wsd's."),
        SchemaKey(
            "http.singlePage", \.http.singlePage, .boolean,
            "Unknown paths that ask for HTML get the folder's index.html. Needs http.staticFolder."),
        SchemaKey(
            "http.publicURL", \.http.publicURL,
            ValueFormat.webSocketURL.orWord("auto", meaning: "from the request"),
            "The address that pages are told to connect to."),
        SchemaKey(
            "http.trustedProxies", list: \.http.trustedProxies, .network,
            "Proxies whose X-Forwarded-* headers, or PROXY protocol (limits.proxyProtocol), are believed."),
        SchemaKey(
            "http.metrics", \.http.metrics, .boolean,
            "Prometheus metrics on the public port, metrics under http.prefix."),
        SchemaKey(
            "http.testPage", \.http.testPage, ValueFormat.boolean.orWord("auto", meaning: "on in dev, off in prod"),
            "The test page, test under http.prefix, and on / where nothing else is; the chat, demo/chat under it."),
        SchemaKey(
            "http.dashboard", \.http.dashboard, .boolean,
            "The dashboard on the public port, dashboard under http.prefix: it only shows, and asks for a key of api.keys "
                + "that allows observe."),
    ]
}
