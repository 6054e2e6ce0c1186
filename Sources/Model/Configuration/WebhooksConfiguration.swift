package struct WebhooksConfiguration: Equatable, Sendable, Codable {
    /// File with the secret that signs every call (HMAC-SHA256; all its bytes but one trailing line break, at least 16);
    /// needed as soon as a URL is set.
    package var secretFile: String?
    package var connect = WebhookConfiguration(onFailure: .refuse)
    package var join = WebhookConfiguration(onFailure: .refuse)
    package var publish = WebhookConfiguration(onFailure: .refuse)
    package var rpc = WebhookConfiguration(onFailure: .refuse)
    /// Events: nothing waits for them; `retries` and `queue` say how hard it is tried.
    package var disconnect = WebhookConfiguration(onFailure: .allow)
    package var roomEmpty = WebhookConfiguration(onFailure: .allow)

    package init() {}
}

package struct WebhookConfiguration: Equatable, Sendable, Codable {
    /// `http:` or `https:`; `nil`: the hook is off.
    package var url: String?
    /// For one attempt; 50 ms…5 min.
    package var timeout = Duration.seconds(3)
    /// Further attempts after a failure to connect, a time-out, 429 or 5xx, with backoff; 0…20.
    package var retries = 1
    /// Calls of a worker at the same time; 1…10,000. More wait.
    package var concurrency = 64
    /// Calls that may wait; 0…1,000,000. Above, a call fails at once.
    package var queue = 1000
    /// When the application gave no answer.
    package var onFailure: WebhookFailurePolicy

    package init(onFailure: WebhookFailurePolicy) {
        self.onFailure = onFailure
    }
}

package enum WebhookFailurePolicy: String, Sendable, Codable, CaseIterable {
    case allow
    case refuse
}

extension WebhooksConfiguration {
    /// Every hook with its key below `webhooks`.
    package var all: [(name: String, hook: WebhookConfiguration)] {
        [
            ("connect", connect), ("join", join), ("publish", publish), ("rpc", rpc), ("disconnect", disconnect),
            ("roomEmpty", roomEmpty),
        ]
    }

    /// Whether any hook has a URL.
    package var isUsed: Bool { all.contains { $0.hook.url != nil } }
}
