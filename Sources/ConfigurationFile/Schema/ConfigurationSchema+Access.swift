import Model

// The keys of who may connect, of the backend's API and of webhooks. Bounds stand also with the fields of the model.

private let kibibyte = 1 << 10
private let mebibyte = 1 << 20

extension ConfigurationSchema {
    static let auth = [
        SchemaKey(
            "auth.required", \.auth.required, .boolean,
            "A client may do nothing but authenticate until it has; and who may do what in rooms must then be granted."),
        SchemaKey(
            "auth.timeout", \.auth.timeout, .duration(.seconds(1) ... .seconds(600)),
            "Time to authenticate where that is required; then the client is closed (code 4001)."),
        SchemaKey(
            "auth.secretFile", file: \.auth.secretFile, .secret(least: FileCheck.secretBytes),
            "File with the shared secret of HS256 tokens, at least 32 bytes; a line break at its end does not count."),
        SchemaKey(
            "auth.publicKeyFile", file: \.auth.publicKeyFile, .publicKey,
            "PEM file with the public key of RS256, ES256 or EdDSA tokens."),
        SchemaKey(
            "auth.jwksFile", file: \.auth.jwksFile, .keySet,
            "JSON file with a key set (JWKS); a token names its key by kid."),
        SchemaKey(
            "auth.audience", \.auth.audience, ValueFormat.line("a text").orWord("none"),
            "Must be among a token's audiences (aud)."),
        SchemaKey(
            "auth.issuer", \.auth.issuer, ValueFormat.line("a text").orWord("none"), "Must be a token's issuer (iss)."),
        SchemaKey(
            "auth.leeway", \.auth.leeway, .duration(.zero ... .seconds(600)),
            "How far clocks may be apart when a token's exp and nbf are looked at."),
        SchemaKey(
            "auth.queryParameter", \.auth.queryParameter, ValueFormat.parameterName.orWord("none"),
            "Parameter of the URL that may carry a token."),
        SchemaKey(
            "auth.cookie", \.auth.cookie, ValueFormat.parameterName.orWord("none"), "Cookie that may carry a token."),
    ]

    static let limits = [
        SchemaKey(
            "limits.origins",
            SchemaField(
                "", list: \.limits.origins, .origin, orWord: "auto", meaning: "\"*\" in dev, same-host in prod",
                "Origins whose pages may connect. \"https://*.example.org\" is every name below example.org, same-host the host "
                    + "that the page connects to, \"*\" every page. Clients that are no pages send no Origin and always pass."
            )),
        SchemaKey(
            "limits.connectionsPerAddress", \.limits.connectionsPerAddress, .integer(0...1_000_000),
            "Open connections of one address, over all workers; 0: no limit. An IPv6 /64 counts as one address."),
        SchemaKey(
            "limits.connectionsPerUser", \.limits.connectionsPerUser, .integer(0...1_000_000),
            "Open connections of one user, over all workers; 0: no limit."),
        SchemaKey(
            "limits.connectionsPerOrigin", \.limits.connectionsPerOrigin, .integer(0...1_000_000),
            "Open connections of the pages of one origin, over all workers; 0: no limit."),
        SchemaKey(
            "limits.connections", \.limits.connections, .integer(0...1_000_000),
            "Open connections in all; 0: no limit."),
        SchemaKey(
            "limits.perUserPolicy", \.limits.perUserPolicy, .choice,
            "What happens above limits.connectionsPerUser: replaceOldest closes the user's oldest connection (code 4004), "
                + "refuseNewest the new one (code 4005)."),
        SchemaKey(
            "limits.connectRate", \.limits.connectRate, .rate, "New connections of one address."),
        SchemaKey(
            "limits.messageRate", \.limits.messageRate, .rate, "Messages of one connection."),
        SchemaKey(
            "limits.userRate", \.limits.userRate, .rate, "Messages of all connections of one user, over all workers."),
        SchemaKey(
            "limits.addressRate", \.limits.addressRate, .rate,
            "Messages of all connections of one address, over all workers."),
        SchemaKey(
            "limits.abuseThreshold", \.limits.abuseThreshold, .integer(1...1_000_000),
            "A client of which this many messages in a row were above a rate, without a pause of a second, is closed "
                + "(code 4007)."),
        SchemaKey(
            "limits.whenHubAway", \.limits.whenHubAway, .choice,
            "Whether connections that the hub should decide on are admitted or refused while it is away."),
        SchemaKey(
            "limits.admissionTimeout", \.limits.admissionTimeout, .duration(.milliseconds(50) ... .seconds(60)),
            "How long a connection waits for the hub's decision until limits.whenHubAway counts."),
        SchemaKey(
            "limits.proxyProtocol", \.limits.proxyProtocol, .boolean,
            "Connections from http.trustedProxies begin with a PROXY protocol header (version 1 or 2)."),
    ]

    static let api = [
        SchemaKey(
            "api.keys", entries: \.api.keys, of: APIKey(),
            [
                SchemaField("name", \.name, .keyName, required: true, "What stands in logs."),
                SchemaField(
                    "sha256", \.sha256, .sha256, secret: true, required: true,
                    "The key's SHA-256 in hexadecimal. The key itself stands nowhere on the server."),
                SchemaField(
                    "allow", list: \.allow, .choice,
                    "What it is good for. publish: publish, broadcast, send to users; manage: disconnect, subscribe, remove "
                        + "history; observe: presence, history, rooms, counts, and live logs and figures."),
            ],
            allowed:
                "a list of keys, each with name, sha256 and allow (wsctl key new makes one), or credential:NAME, which holds it",
            takesCredential: true,
            example: """
                - name: web
                  sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
                  allow: [publish, observe]
                """,
            "Keys of backends. wsctl key new NAME makes one with the lines to put here. Without keys the API is on the control "
                + "socket alone."),
        SchemaKey(
            "api.maxBody", \.api.maxBody, .size(kibibyte...64 * mebibyte),
            "Largest body of a request; above it the answer is 413."),
    ]

    static let webhooks =
        [
            SchemaKey(
                "webhooks.secretFile", file: \.webhooks.secretFile, .secret(least: FileCheck.signingSecretBytes),
                "File with the secret that every call is signed with (HMAC-SHA256), at least 16 bytes; a line break at its end does "
                    + "not count."
            )
        ]
        + SchemaKey.keys("webhooks.connect", \.webhooks.connect, question)
        + SchemaKey.keys("webhooks.join", \.webhooks.join, question)
        + SchemaKey.keys("webhooks.publish", \.webhooks.publish, question)
        + SchemaKey.keys("webhooks.rpc", \.webhooks.rpc, question)
        + SchemaKey.keys("webhooks.disconnect", \.webhooks.disconnect, event)
        + SchemaKey.keys("webhooks.roomEmpty", \.webhooks.roomEmpty, event)

    /// A hook that nothing waits for.
    private static let event: [SchemaField<WebhookConfiguration>] = [
        SchemaField(
            "url", \.url, ValueFormat.webhookURL.orWord("none"),
            "Where it is called; none turns it off. Needs webhooks.secretFile."),
        SchemaField(
            "timeout", \.timeout, .duration(.milliseconds(50) ... .seconds(300)), "Time for one attempt."),
        SchemaField(
            "retries", \.retries, .integer(0...20),
            "Further attempts after a failure to connect, a time-out, 429 or 5xx, each after a longer wait."),
        SchemaField(
            "concurrency", \.concurrency, .integer(1...10_000), "Calls of one worker at the same time; more wait."),
        SchemaField(
            "queue", \.queue, .integer(0...1_000_000),
            "Calls of one worker that may wait; above it a call fails at once."),
    ]

    private static let question =
        event + [
            SchemaField(
                "onFailure", \.onFailure, .choice,
                "What holds when the application gave no answer: allow or refuse.")
        ]
}
