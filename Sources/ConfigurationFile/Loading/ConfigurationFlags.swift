/// What the command line says about the configuration. Texts are checked by ``ConfigurationLoader``, so that a wrong flag is
/// reported together with everything else that is wrong.
package struct ConfigurationFlags: Sendable, Equatable {
    /// `--dev`, `--prod`: `dev` or `prod`.
    package var mode: String?
    /// `--listen`, repeatable: the whole list. Not together with `host` or `port`.
    package var listen: [String] = []
    /// `--host`: listens on one TCP address; a missing port is that of the address it replaces.
    package var host: String?
    /// `--port`: listens on one TCP address; a missing host is that of the address it replaces.
    package var port: String?
    /// `--workers N|auto`.
    package var workers: String?
    /// `--socket PATH`: the control socket.
    package var socket: String?
    /// `--log-level`.
    package var logLevel: String?
    /// `--log-format auto|text|json`.
    package var logFormat: String?
    /// `--set key=value`, repeatable: any key, lists separated by commas.
    package var settings: [String] = []

    package init() {}
}
