package struct HTTPConfiguration: Equatable, Sendable, Codable {
    /// Everything of wsd's own lies under it; begins and ends with `/`.
    package var prefix = "/wsd/"
    /// Folder served for every path that is not wsd's; `nil`: none.
    package var staticFolder: String?
    /// Answer unknown paths that ask for HTML with the folder's `index.html`.
    package var singlePage = false
    /// Base that pages are told to connect to (`wss://chat.example.org`); `nil`: from the request.
    package var publicURL: String?
    /// Addresses or networks (CIDR) whose `X-Forwarded-*` headers are believed.
    package var trustedProxies: [String] = []
    /// `<prefix>metrics` on the public port.
    package var metrics = false
    /// `<prefix>test`, and `/` where nothing else is; `nil`: on in dev, off in prod.
    package var testPage: Bool?
    /// `<prefix>dashboard` on the public port: shows the service to whoever has an API key that may observe.
    package var dashboard = false

    package init() {}
}
