/// The effective configuration of one service: defaults, file, environment and flags already merged.
///
/// Every value is valid by construction of the loader; ranges stand with each field. Sizes are bytes. Field names are the keys
/// of `wsd.yaml`.
package struct WsdConfiguration: Equatable, Sendable, Codable {
    package var mode = RunMode.dev
    /// Cannot be changed by a reload.
    package var listen: [ListenAddress] = [.tcp(host: "127.0.0.1", port: 8080)]
    /// Paths that another server answers.
    package var routes: [RouteConfiguration] = []
    /// Programs of the team's own that the supervisor keeps.
    package var programs: [ProgramConfiguration] = []
    /// What is done when something happens.
    package var onEvent: [EventHookConfiguration] = []
    package var workers = WorkersConfiguration()
    package var restart = RestartConfiguration()
    package var reload = ReloadConfiguration()
    package var shutdown = ShutdownConfiguration()
    package var websocket = WebSocketConfiguration()
    package var rooms = RoomsConfiguration()
    package var history = HistoryConfiguration()
    package var auth = AuthConfiguration()
    package var limits = LimitsConfiguration()
    package var api = APIConfiguration()
    package var webhooks = WebhooksConfiguration()
    package var http = HTTPConfiguration()
    package var tls = TLSConfiguration()
    package var hub = HubConfiguration()
    package var control = ControlConfiguration()
    package var log = LogConfiguration()

    package init() {}
}

package enum RunMode: String, Sendable, Codable, CaseIterable {
    /// Loopback, readable logs, test page and echo.
    case dev
    /// All addresses, JSON logs, neither test page nor echo unless configured.
    case prod
}

extension WsdConfiguration {
    package var echoEnabled: Bool { websocket.echo ?? (mode == .dev) }
    package var testPageEnabled: Bool { http.testPage ?? (mode == .dev) }
}

extension WsdConfiguration {
    /// Longest data of one message, bytes, whoever sends it: a client, the backend, or a webhook that replaces it.
    package var maxMessageData: Int { max(websocket.maxMessageSize, api.maxBody) }
}
